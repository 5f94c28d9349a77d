"""The limit of a request body, announced or streamed."""

from __future__ import annotations

import io

from gateway.host_group import Group
from tests.gateway.factories import pieces
from tests.gateway.harness import MIB, GatewayHarness


async def test_an_announced_length_beyond_the_limit_is_413(
    harness: GatewayHarness,
) -> None:
    response = await harness.ask(
        "POST", "/v1/payments/notifications", group=Group.SHOP, data=b"x" * (16 * 1024 + 1)
    )
    assert (response.status, response.content["code"], response.content["limit_bytes"]) == (
        413,
        "body_too_large",
        16 * 1024,
    )
    assert harness.upstream.seen == []


async def test_a_body_of_unknown_length_is_413_when_it_passes_the_limit(
    harness: GatewayHarness,
) -> None:
    response = await harness.ask(
        "POST", "/v1/payments/notifications", group=Group.SHOP, data=pieces(1_000)
    )
    assert response.status == 413
    assert all(seen.body <= 16 * 1024 for seen in harness.upstream.seen)


async def test_a_large_upload_gets_its_refusal_while_bytes_still_arrive(
    harness: GatewayHarness,
) -> None:
    response = await harness.ask(
        "POST", "/v1/classes", headers=harness.bearer(), data=io.BytesIO(b"x" * (8 * MIB))
    )
    assert response.status == 413
    response = await harness.ask("POST", "/v1/classes", data=b"x" * (900 * 1024))
    assert response.status == 401


async def test_a_body_of_exactly_the_limit_is_forwarded(harness: GatewayHarness) -> None:
    response = await harness.ask(
        "POST",
        "/v1/payments/notifications",
        group=Group.SHOP,
        data=pieces(4),
        headers={"x-signature": "abc", "content-type": "application/json"},
    )
    assert (response.status, response.content["body"]) == (200, 16 * 1024)
    assert harness.upstream.last.headers["x-signature"] == "abc"
