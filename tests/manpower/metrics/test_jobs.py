"""Scheduled gauges of manpower: placements, and changes without a number."""

from __future__ import annotations

from prometheus_client import REGISTRY

from services.manpower.metrics.jobs import measure
from tests.manpower.harness import RegionHarness, made


async def test_placements_and_changes_without_a_number_are_counted(region: RegionHarness) -> None:
    await measure(region.runner())
    before = gauge_value("manpower_placements")
    _, application = await region.applicant(await region.vacancy(1), "ACCEPTED")
    await made(region.place(region.dinas(), application))
    await measure(region.runner())
    assert gauge_value("manpower_placements") == before + 1
    assert gauge_value("manpower_feed_waiting_changes") >= 0


def gauge_value(name: str) -> float:
    value = REGISTRY.get_sample_value(name)
    assert value is not None
    return value
