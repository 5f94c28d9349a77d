"""The middlewares of a service."""

from __future__ import annotations

from collections.abc import AsyncIterator

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
