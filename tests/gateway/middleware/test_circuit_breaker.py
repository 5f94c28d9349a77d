"""The circuit breaker: when it opens, its probes, when it closes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from gateway.host_group import Group
from gateway.middleware import circuit_breaker
from gateway.middleware.circuit_breaker import (
    MIN_VOLUME,
    OPEN_SECONDS,
    PROBES,
    WINDOW_SECONDS,
    CircuitBreaker,
    CircuitBreakerOpen,
    CircuitBreakers,
)
from tests.fakes import eventually
from tests.gateway.factories import Clock, before, breaking, nothing, repeatable_scope
from tests.gateway.harness import GatewayHarness, fixed


def opened(clock: Clock) -> CircuitBreaker:
    breaker = CircuitBreaker(clock)
    for _ in range(MIN_VOLUME):
        breaker.record(breaker.admit(), has_answered=False)
    return breaker


async def _closed(breaker: CircuitBreaker) -> bool:
    return not breaker.is_open


def test_a_breaker_opens_only_with_volume_and_share() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    for number in range(MIN_VOLUME - 1):
        breaker.record(breaker.admit(), has_answered=number % 2 == 0)
    assert not breaker.is_open
    breaker.record(breaker.admit(), has_answered=False)
    assert breaker.is_open
    mostly_well = CircuitBreaker(clock)
    for number in range(200):
        mostly_well.record(mostly_well.admit(), has_answered=number % 3 != 0)
    assert not mostly_well.is_open


def test_an_open_breaker_shows_in_its_gauge() -> None:
    async def nothing(*_: Any) -> None: ...

    breakers = CircuitBreakers(nothing, ["gauged"], Clock()).breakers
    for response in (0, 1):
        assert (
            REGISTRY.get_sample_value("gateway_circuit_breaker_open", {"service": "gauged"})
            == response
        )
        for _ in range(MIN_VOLUME * (1 - response)):
            breakers["gauged"].record(breakers["gauged"].admit(), has_answered=False)


def test_failures_of_an_earlier_window_do_not_open_a_breaker() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    for _ in range(MIN_VOLUME - 1):
        breaker.record(breaker.admit(), has_answered=False)
    clock.now += WINDOW_SECONDS + 1
    breaker.record(breaker.admit(), has_answered=False)
    assert not breaker.is_open


def test_an_open_breaker_admits_probes_and_closes_when_they_succeed() -> None:
    clock = Clock()
    breaker = opened(clock)
    with pytest.raises(CircuitBreakerOpen) as refused:
        breaker.admit()
    assert refused.value.retry_after == OPEN_SECONDS
    clock.now += OPEN_SECONDS
    tickets = [breaker.admit() for _ in range(PROBES)]
    with pytest.raises(CircuitBreakerOpen):
        breaker.admit()
    for ticket in tickets:
        breaker.record(ticket, has_answered=True)
    assert not breaker.is_open


def test_a_failed_probe_opens_the_breaker_again() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += OPEN_SECONDS
    breaker.record(breaker.admit(), has_answered=False)
    with pytest.raises(CircuitBreakerOpen):
        breaker.admit()


def test_a_probe_whose_client_left_makes_room_for_another() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += OPEN_SECONDS
    for _ in range(PROBES + 1):
        breaker.record(breaker.admit(), has_answered=None)
    assert breaker.is_open


def test_a_request_from_before_the_opening_does_not_count_as_a_probe() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    early = breaker.admit()
    for _ in range(MIN_VOLUME):
        breaker.record(breaker.admit(), has_answered=False)
    clock.now += OPEN_SECONDS
    for _ in range(PROBES):
        breaker.record(early, has_answered=True)
    assert breaker.is_open


async def test_an_open_breaker_stops_requests_to_its_service_only(
    tmp_path: Path,
) -> None:
    async with breaking(1_000) as (url, read), before(url, tmp_path) as harness:
        for _ in range(MIN_VOLUME):
            await harness.ask("POST", "/v1/classes", headers=harness.bearer(), data=b"")
        reached = len(read)
        response = await harness.ask("POST", "/v1/classes", headers=harness.bearer(), data=b"")
        assert (response.status, response.content["code"]) == (503, "breaker_open")
        assert len(read) == reached == MIN_VOLUME
        assert (await harness.ask("GET", "/v1/products", group=Group.SHOP)).status == 200


async def test_error_responses_of_a_service_do_not_open_its_breaker(
    harness: GatewayHarness,
) -> None:
    harness.upstream.answers["/v1/classes"] = fixed(500, {})
    for _ in range(circuit_breaker.MIN_VOLUME * 2):
        assert (await harness.ask("GET", "/v1/classes", headers=harness.bearer())).status == 500


async def test_an_endless_response_does_not_occupy_a_probe() -> None:
    clock = Clock()
    flowing = asyncio.Event()

    async def flow(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await flowing.wait()

    layer = circuit_breaker.CircuitBreakers(flow, ("training",), clock)
    layer.breakers["training"] = opened(clock)
    clock.now += OPEN_SECONDS
    streams = [
        asyncio.create_task(layer(repeatable_scope("/v1/stream"), nothing, nothing))
        for _ in range(PROBES)
    ]
    await eventually(lambda: _closed(layer.breakers["training"]), seconds=3)
    flowing.set()
    await asyncio.gather(*streams)
    assert not layer.breakers["training"].is_open
