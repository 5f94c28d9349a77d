"""Requests in flight towards a service."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prometheus_client import REGISTRY

from gateway.host_group import Group
from tests.fakes import eventually
from tests.gateway.factories import held
from tests.gateway.harness import ROUTES, Stage, staged


async def none_in_flight() -> bool:
    return REGISTRY.get_sample_value("gateway_in_flight_requests", {"service": "training"}) == 0


async def test_one_request_in_flight_too_many_is_503_and_the_next_is_served(
    stage: Stage,
) -> None:
    release, arrived = await held(stage, "/v1/classes")
    waiting = [
        asyncio.create_task(stage.ask("GET", "/v1/classes", headers=stage.bearer()))
        for _ in range(4)
    ]
    for _ in waiting:
        await arrived.acquire()
    response = await stage.ask("GET", "/v1/classes", headers=stage.bearer())
    assert (response.status, response.content["code"], response.headers["retry-after"]) == (
        503,
        "service_busy",
        "1",
    )
    assert (await stage.ask("GET", "/v1/products", group=Group.SHOP)).status == 200
    release.set()
    assert [one.status for one in await asyncio.gather(*waiting)] == [200] * 4
    assert (await stage.ask("GET", "/v1/classes", headers=stage.bearer())).status == 200


async def test_one_caller_holds_at_most_a_quarter_of_a_service(
    stage: Stage,
) -> None:
    stage.routes_file.write_text(
        stage.routes_file.read_text().replace("training = 4", "training = 36")
    )
    assert stage.gateway.route_reloader.refresh()
    release, arrived = await held(stage, "/v1/classes")
    one = stage.bearer(subject="one")
    other = stage.bearer(subject="other")
    waiting = [asyncio.create_task(stage.ask("GET", "/v1/classes", headers=one)) for _ in range(9)]
    for _ in waiting:
        await arrived.acquire()
    response = await stage.ask("GET", "/v1/classes", headers=one)
    assert (response.status, response.content["code"], response.headers["retry-after"]) == (
        429,
        "too_many_at_once",
        "1",
    )
    waiting.append(asyncio.create_task(stage.ask("GET", "/v1/classes", headers=other)))
    await arrived.acquire()
    assert REGISTRY.get_sample_value("gateway_in_flight_requests", {"service": "training"}) == 10
    release.set()
    assert [one.status for one in await asyncio.gather(*waiting)] == [200] * 10
    await eventually(none_in_flight)
    assert (await stage.ask("GET", "/v1/classes", headers=one)).status == 200


async def test_the_public_holds_at_most_half_of_a_service(
    tmp_path: Path,
) -> None:
    routes = ROUTES.replace("marketplace = 4", "marketplace = 20")
    async with staged(tmp_path, routes, trusted_proxies="127.0.0.0/8") as stage:
        release, arrived = await held(stage, "/v1/products")

        async def status(number: int) -> int:
            return (
                await stage.ask(
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
            stage.ask(
                "GET", "/v1/products", group=Group.SHOP, headers=stage.bearer("buyer", own="b-1")
            )
        )
        await arrived.acquire()
        release.set()
        assert await asyncio.gather(*waiting) == [200] * 10
        assert (await buyer).status == 200
        assert await status(11) == 200
