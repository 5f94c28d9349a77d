"""Requests in flight towards a service."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prometheus_client import REGISTRY

from gateway.host_group import Group
from tests.fakes import eventually
from tests.gateway.factories import held
from tests.gateway.harness import ROUTES, GatewayHarness, running_gateway


async def none_in_flight() -> bool:
    return REGISTRY.get_sample_value("gateway_in_flight_requests", {"service": "training"}) == 0


async def test_one_request_in_flight_too_many_is_503_and_the_next_is_served(
    harness: GatewayHarness,
) -> None:
    release, arrived = await held(harness, "/v1/classes")
    waiting = [
        asyncio.create_task(harness.ask("GET", "/v1/classes", headers=harness.bearer()))
        for _ in range(4)
    ]
    for _ in waiting:
        await arrived.acquire()
    response = await harness.ask("GET", "/v1/classes", headers=harness.bearer())
    assert (response.status, response.content["code"], response.headers["retry-after"]) == (
        503,
        "service_busy",
        "1",
    )
    assert (await harness.ask("GET", "/v1/products", group=Group.SHOP)).status == 200
    release.set()
    assert [one.status for one in await asyncio.gather(*waiting)] == [200] * 4
    assert (await harness.ask("GET", "/v1/classes", headers=harness.bearer())).status == 200


async def test_one_caller_holds_at_most_a_quarter_of_a_service(
    harness: GatewayHarness,
) -> None:
    harness.routes_file.write_text(
        harness.routes_file.read_text().replace("training = 4", "training = 36")
    )
    assert harness.gateway.route_reloader.refresh()
    release, arrived = await held(harness, "/v1/classes")
    one = harness.bearer(subject="one")
    other = harness.bearer(subject="other")
    waiting = [
        asyncio.create_task(harness.ask("GET", "/v1/classes", headers=one)) for _ in range(9)
    ]
    for _ in waiting:
        await arrived.acquire()
    response = await harness.ask("GET", "/v1/classes", headers=one)
    assert (response.status, response.content["code"], response.headers["retry-after"]) == (
        429,
        "too_many_at_once",
        "1",
    )
    waiting.append(asyncio.create_task(harness.ask("GET", "/v1/classes", headers=other)))
    await arrived.acquire()
    assert REGISTRY.get_sample_value("gateway_in_flight_requests", {"service": "training"}) == 10
    release.set()
    assert [one.status for one in await asyncio.gather(*waiting)] == [200] * 10
    await eventually(none_in_flight)
    assert (await harness.ask("GET", "/v1/classes", headers=one)).status == 200


async def test_the_public_holds_at_most_half_of_a_service(
    tmp_path: Path,
) -> None:
    routes = ROUTES.replace("marketplace = 4", "marketplace = 20")
    async with running_gateway(tmp_path, routes, trusted_proxies="127.0.0.0/8") as harness:
        release, arrived = await held(harness, "/v1/products")

        async def status(number: int) -> int:
            return (
                await harness.ask(
                    "GET",
                    "/v1/products",
                    group=Group.SHOP,
                    headers={"x-forwarded-for": f"203.0.113.{number}"},
                )
            ).status

        waiting = [asyncio.create_task(status(number)) for number in range(10)]
        for _ in waiting:
            await arrived.acquire()
        assert await status(11) == 503
        buyer = asyncio.create_task(
            harness.ask(
                "GET", "/v1/products", group=Group.SHOP, headers=harness.bearer("buyer", own="b-1")
            )
        )
        await arrived.acquire()
        release.set()
        assert await asyncio.gather(*waiting) == [200] * 10
        assert (await buyer).status == 200
        assert await status(11) == 200
