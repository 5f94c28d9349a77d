"""How much, how often, how long, how many at once."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from chassis.persistence.mongo import Mongo
from gateway.host_group import Group
from gateway.middleware.rate_windows import COLLECTION, INDEXES, SWEEP_SECONDS, RateWindows
from tests.fakes import eventually
from tests.gateway.harness import MIB, ROUTES, Stage, answer, staged


async def pieces(count: int, size: int = 4096) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * size


async def test_a_body_longer_than_the_route_takes_is_413_by_its_announced_length(
    stage: Stage,
) -> None:
    told = await stage.ask(
        "POST", "/v1/payments/notifications", group=Group.SHOP, data=b"x" * (16 * 1024 + 1)
    )
    assert (told.status, told.content["code"], told.content["limit_bytes"]) == (
        413,
        "body_too_large",
        16 * 1024,
    )
    assert stage.upstream.seen == []


async def test_a_body_of_unknown_length_is_413_as_soon_as_it_passes_the_limit(stage: Stage) -> None:
    told = await stage.ask(
        "POST", "/v1/payments/notifications", group=Group.SHOP, data=pieces(1_000)
    )
    assert told.status == 413
    assert all(seen.body <= 16 * 1024 for seen in stage.upstream.seen)


async def test_a_large_upload_refused_at_the_border_is_told_why_although_bytes_are_still_coming(
    stage: Stage,
) -> None:
    told = await stage.ask(
        "POST", "/v1/classes", headers=stage.bearer(), data=io.BytesIO(b"x" * (8 * MIB))
    )
    assert told.status == 413
    told = await stage.ask("POST", "/v1/classes", data=b"x" * (900 * 1024))
    assert told.status == 401


async def test_a_body_of_exactly_the_limit_goes_through(stage: Stage) -> None:
    told = await stage.ask(
        "POST",
        "/v1/payments/notifications",
        group=Group.SHOP,
        data=pieces(4),
        headers={"x-signature": "abc", "content-type": "application/json"},
    )
    assert (told.status, told.content["body"]) == (200, 16 * 1024)
    assert stage.upstream.last.headers["x-signature"] == "abc"


async def test_a_header_of_one_route_does_not_pass_on_another(stage: Stage) -> None:
    await stage.ask("GET", "/v1/classes", headers=stage.bearer() | {"x-signature": "abc"})
    assert "x-signature" not in stage.upstream.last.headers


async def test_a_subject_over_its_rate_is_429_and_others_are_not(stage: Stage) -> None:
    one, other = stage.bearer(subject="one"), stage.bearer(subject="other")
    told = [await stage.ask("GET", "/v1/rare", headers=one) for _ in range(4)]
    assert [answer.status for answer in told] == [200, 200, 200, 429]
    assert told[0].headers["ratelimit-policy"] == '"route";q=3;w=60'
    assert told[0].headers["ratelimit"].startswith('"route";r=2;t=')
    assert 1 <= int(told[3].headers["retry-after"]) <= 60
    assert (await stage.ask("GET", "/v1/rare", headers=other)).status == 200
    assert (await stage.ask("GET", "/v1/classes", headers=one)).status == 200


async def test_the_next_window_begins_when_the_clock_says_so() -> None:
    now = [1_000.0]
    windows = RateWindows(lambda: now[0])
    assert [await windows.incr("a", 60) for _ in range(2)] == [1, 2]
    assert await windows.get_expiry("a") == 1_060
    now[0] += 59
    assert await windows.incr("a", 60) == 3
    now[0] += 1
    assert await windows.get("a") == 0
    assert await windows.incr("a", 60) == 1


async def test_windows_that_are_over_are_forgotten() -> None:
    now = [1_000.0]
    windows = RateWindows(lambda: now[0])
    await windows.incr("a", 60)
    now[0] += SWEEP_SECONDS + 1
    await windows.incr("b", 60)
    assert await windows.reset() == 1


async def test_replicas_count_together_within_seconds_and_each_alone_while_the_database_is_away(
    mongo_url: str, database: str
) -> None:
    now = [1_000.0]
    db = Mongo(mongo_url, database)
    await db.ensure_collection(COLLECTION, None, INDEXES, await db.collections())
    here, there = (RateWindows(lambda: now[0], replica) for replica in ("0", "1"))
    for _ in range(6):
        await here.incr("one", 60)
    now[0] += 10  # its window there begins later
    for _ in range(3):
        assert await there.incr("one", 60) <= 3
    await there.incr("other", 60)
    await here.synchronise(db)
    await there.synchronise(db)
    assert await there.incr("one", 60) == 10
    assert await there.incr("other", 60) == 2, "others are not counted with it"
    await there.synchronise(db)
    assert await here.incr("one", 60) == 7, "what it learns is as old as its last exchange"
    await here.synchronise(db)
    assert await here.incr("one", 60) == 12
    rows = await db.find(COLLECTION, {})
    assert len(rows) == 2
    assert "one" not in str(rows), "subjects and addresses are not stored"
    now[0] += 55  # the window here is over, that there is not
    for count in (1, 2, 3):
        assert await here.incr("one", 60) == count
    await here.synchronise(db)
    assert await here.incr("one", 60) == 8
    await db.drop()
    await db.close()
    with pytest.raises(Exception, match="close"):
        await here.synchronise(db)
    assert await here.incr("one", 60) == 9


async def held(stage: Stage, path: str) -> tuple[asyncio.Event, asyncio.Semaphore]:
    """Let the service hold requests of this path until the event is set; the semaphore counts arrivals."""
    release, arrived = asyncio.Event(), asyncio.Semaphore(0)

    async def wait(_scope: Any, _receive: Any, send: Any) -> None:
        arrived.release()
        await release.wait()
        await answer(send, 200, {})

    stage.upstream.answers[path] = wait
    return release, arrived


async def test_one_request_more_than_a_service_takes_at_once_is_503_and_the_next_is_served_again(
    stage: Stage,
) -> None:
    release, arrived = await held(stage, "/v1/classes")
    waiting = [
        asyncio.create_task(stage.ask("GET", "/v1/classes", headers=stage.bearer()))
        for _ in range(4)
    ]
    for _ in waiting:
        await arrived.acquire()
    told = await stage.ask("GET", "/v1/classes", headers=stage.bearer())
    assert (told.status, told.content["code"], told.headers["retry-after"]) == (
        503,
        "service_busy",
        "1",
    )
    assert (await stage.ask("GET", "/v1/products", group=Group.SHOP)).status == 200
    release.set()
    assert [one.status for one in await asyncio.gather(*waiting)] == [200] * 4
    assert (await stage.ask("GET", "/v1/classes", headers=stage.bearer())).status == 200


async def none_in_flight() -> bool:
    return REGISTRY.get_sample_value("gateway_in_flight_requests", {"service": "training"}) == 0


async def test_one_caller_with_many_long_requests_holds_a_quarter_of_a_service_and_others_are_served(
    stage: Stage,
) -> None:
    stage.routes_file.write_text(
        stage.routes_file.read_text().replace("training = 4", "training = 36")
    )
    assert stage.door.route_reloader.refresh()
    release, arrived = await held(stage, "/v1/classes")
    one, other = stage.bearer(subject="one"), stage.bearer(subject="other")
    waiting = [asyncio.create_task(stage.ask("GET", "/v1/classes", headers=one)) for _ in range(9)]
    for _ in waiting:
        await arrived.acquire()
    told = await stage.ask("GET", "/v1/classes", headers=one)
    assert (told.status, told.content["code"], told.headers["retry-after"]) == (
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


async def test_the_public_with_slow_bodies_from_many_addresses_holds_half_of_a_service_and_those_who_signed_in_are_served(
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


async def test_a_slow_service_is_504_at_the_routes_deadline_which_it_was_told(stage: Stage) -> None:
    _, arrived = await held(stage, "/v1/slow")
    began = time.time()
    told = await stage.ask("GET", "/v1/slow", headers=stage.bearer())
    assert (told.status, told.content["code"]) == (504, "deadline_passed")
    await arrived.acquire()
    deadline = int(stage.upstream.last.headers["x-request-deadline"]) / 1000
    assert began < deadline < began + 1


async def test_a_body_that_has_not_come_by_the_deadline_is_408(stage: Stage) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    writer.write(
        f"POST /v1/slow HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {stage.token()}\r\ncontent-length: 10\r\n\r\nx".encode()
    )
    assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_an_open_ended_answer_may_flow_beyond_the_deadline(stage: Stage) -> None:
    release = asyncio.Event()
    file = stage.routes_file
    file.write_text(
        file.read_text().replace("streaming = true", "streaming = true\ndeadline = 0.2")
    )
    assert stage.door.route_reloader.refresh()

    async def flow(_scope: Any, _receive: Any, send: Any) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/event-stream")],
            }
        )
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        await release.wait()
        await send({"type": "http.response.body", "body": b"data: 2\n\n"})

    stage.upstream.answers["/v1/stream"] = flow
    async with stage.client.get(stage.url("/v1/stream"), headers=stage.bearer()) as response:
        assert await response.content.readany() == b"data: 1\n\n"
        asyncio.get_running_loop().call_later(0.3, release.set)
        assert await response.content.read() == b"data: 2\n\n"
