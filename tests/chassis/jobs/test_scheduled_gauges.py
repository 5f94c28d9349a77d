"""Gauges are shown while they are fresh; connections to MongoDB are counted."""

from __future__ import annotations

import asyncio
import time

import pytest
from prometheus_client import REGISTRY, CollectorRegistry

from chassis.jobs import scheduled_gauges
from chassis.jobs.scheduled_gauges import ScheduledGauge
from chassis.persistence.drivers import pool_metrics
from chassis.persistence.mongo import Mongo


def test_a_figure_is_shown_for_three_rounds_and_then_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry = CollectorRegistry()
    age = ScheduledGauge(
        "shop_list_age_seconds", "Age of a list", "facility", every=60.0, registry=registry
    )
    assert registry.get_sample_value("shop_list_age_seconds", {"facility": "LP-UJI"}) is None
    monkeypatch.setattr(time, "monotonic", lambda: 1_000.0)
    age.set_by_label({"LP-UJI": 3.0, "LP-DUA": 4.0})
    monkeypatch.setattr(time, "monotonic", lambda: 1_179.0)
    assert registry.get_sample_value("shop_list_age_seconds", {"facility": "LP-UJI"}) == 3.0
    monkeypatch.setattr(time, "monotonic", lambda: 1_181.0)
    assert registry.get_sample_value("shop_list_age_seconds", {"facility": "LP-UJI"}) is None


def test_a_value_that_is_not_known_is_not_shown() -> None:
    registry = CollectorRegistry()
    left = ScheduledGauge("shop_licence_left_seconds", "Until a licence ends", registry=registry)
    left.set_if_known(0.0)
    assert registry.get_sample_value("shop_licence_left_seconds") == 0.0
    left.set_if_known(None)
    assert registry.get_sample_value("shop_licence_left_seconds") is None


def test_what_is_no_longer_measured_is_no_longer_shown() -> None:
    registry = CollectorRegistry()
    age = ScheduledGauge("shop_list_age_seconds", "Age of a list", "facility", registry=registry)
    age.set_by_label({"LP-UJI": 3.0, "LP-DUA": 4.0})
    age.set_by_label({"LP-DUA": 5.0})
    assert registry.get_sample_value("shop_list_age_seconds", {"facility": "LP-UJI"}) is None
    assert registry.get_sample_value("shop_list_age_seconds", {"facility": "LP-DUA"}) == 5.0


def test_a_gauge_keeps_the_largest_series_up_to_its_maximum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scheduled_gauges, "MAX_SERIES", 2)
    registry = CollectorRegistry()
    ScheduledGauge(
        "shop_list_age_seconds", "Age of a list", "facility", registry=registry
    ).set_by_label({"A": 1.0, "B": 3.0, "C": 2.0})
    [shown] = list(registry.collect())
    assert {sample.labels["facility"] for sample in shown.samples} == {"B", "C"}


async def test_connections_are_counted_while_they_are_open_in_use_and_wanted(
    mongo_url: str,
) -> None:
    pool_metrics.watch()
    before = seen()
    client = Mongo(mongo_url, "admin", "pymongo")
    try:
        await client.ping()
        most = before
        asked = [asyncio.create_task(client.db.command("ping")) for _ in range(100)]
        while (await asyncio.wait(asked, timeout=0.0005))[1]:
            most = tuple(map(max, most, seen()))
        opened, used, waited = (now - then for now, then in zip(most, before, strict=True))
        assert (opened >= 2, 1 <= used <= 60, 40 <= waited <= 100) == (True, True, True), (
            most
        )  # one open connection is the driver's own, which monitors the server
        assert seen()[1:] == before[1:]
    finally:
        await client.close()
    assert seen()[0] == before[0]


def seen() -> tuple[float, float, float]:
    """Return the numbers of open connections, used connections and waiting operations."""
    names = (
        "bina_mongo_pool_connections",
        "bina_mongo_pool_in_use_connections",
        "bina_mongo_pool_waiting_operations",
    )
    opened, used, waiting = (REGISTRY.get_sample_value(name) or 0.0 for name in names)
    return opened, used, waiting
