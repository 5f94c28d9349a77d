"""Scheduled gauges of manpower: placements, and changes without a number."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from services.manpower.metrics.jobs import measure
from tests.manpower.harness import RegionHarness, done, made


async def test_placements_and_changes_without_a_number_are_counted(region: RegionHarness) -> None:
    await measure(region.runner())
    before = gauge_value("manpower_placements")
    _, application = await region.applicant(await region.vacancy(1), "ACCEPTED")
    await made(region.place(region.dinas(), application))
    await measure(region.runner())
    assert gauge_value("manpower_placements") == before + 1
    assert gauge_value("manpower_feed_waiting_changes") >= 0


async def test_the_access_of_a_partner_counts_until_its_first_end(region: RegionHarness) -> None:
    await region.db.db["consumer_credentials"].delete_many({})
    await measure(region.runner())
    assert REGISTRY.get_sample_value("manpower_partner_access_left_seconds") is None
    path = await region.active_consumer(f"first-{region.tag}")
    await measure(region.runner())
    whole = gauge_value("manpower_partner_access_left_seconds")
    region.service.gateway.homes[f"second-{region.tag}"] = [""]
    form = region.credential_form(f"second-{region.tag}", days=3)
    proposed = await made(region.administrator().post(f"{path}/credentials", json=form))
    await measure(region.runner())
    assert gauge_value("manpower_partner_access_left_seconds") == pytest.approx(whole, abs=600)
    step = f"/v1/consumer-credentials/{proposed['id']}/approve"
    await done(region.change(region.officer("head"), step))
    await measure(region.runner())
    left = gauge_value("manpower_partner_access_left_seconds")
    assert left == pytest.approx(3 * 86_400, abs=600)


def gauge_value(name: str) -> float:
    value = REGISTRY.get_sample_value(name)
    assert value is not None
    return value
