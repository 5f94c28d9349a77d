"""The middlewares of a service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis import telemetry
from chassis.http.internal_tokens import InternalTokenSigner
from tests.chassis.harness import Harness


async def test_a_json_body_beyond_the_limit_is_413(harness: Harness) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b'{"id": "'
        for _ in range(33):
            yield b"x" * 1024 * 1024

    answer = await harness.client.post(
        "/v1/jars", content=body(), headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_client_that_leaves_within_its_body_is_no_500(harness: Harness) -> None:
    """The gateway counts it as 499; nobody receives an answer."""
    shop = harness.client.as_("officer", facility="*")
    signer = InternalTokenSigner("gateway", shop.keys.private["gateway"])
    token = signer.for_caller("shop", shop.caller)
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/jars",
        "raw_path": b"/v1/jars",
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"authorization", f"Bearer {token}".encode()),
            (b"idempotency-key", b"k"),
            (b"content-type", b"application/octet-stream"),
        ],
    }
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    before = _requests_with("500")
    await shop.app(scope, receive, send)
    assert _requests_with("500") == before
    assert 500 not in statuses


def _requests_with(status: str) -> float:
    samples = [sample for metric in telemetry.REQUESTS.collect() for sample in metric.samples]
    counts = [one for one in samples if one.name.endswith("_count")]
    return sum(one.value for one in counts if status in one.labels.values())


async def test_an_internal_path_is_refused_before_its_body_is_read(harness: Harness) -> None:
    is_read = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal is_read
        is_read = True
        yield b"{}"

    answer = await harness.client.request("GET", "/internal/jars/a", content=body())
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert not is_read


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [("abc-1", True), ("9904050402850001", False), ("9904-0504-0285", False), ("a" * 65, False)],
)
async def test_a_request_id_of_figures_only_is_replaced(
    harness: Harness, given: str, *, is_kept: bool
) -> None:
    answer = await harness.client.get("/v1/jars/a", headers={"x-request-id": given})
    assert (answer.headers["x-request-id"] == given) is is_kept


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": "a", "owner_ref": "x", "room": "north", "id": "b"}',
        b'{"id": "a", "owner_ref": "x", "room": "north", "more": [{"b": 1, "b": 1}]}',
    ],
)
async def test_a_body_with_a_member_twice_is_refused(harness: Harness, body: bytes) -> None:
    answer = await harness.client.post(
        "/v1/jars", content=body, headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    assert answer.json()["field"] in {"id", "b"}
