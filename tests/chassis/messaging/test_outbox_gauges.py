"""The gauges of the outbox while a send waits for a broker. MongoDB and the fake Kafka."""

from __future__ import annotations

import pytest
from prometheus_client import Counter, Gauge

from chassis import telemetry
from chassis.messaging import kafka, outbox_gauges
from chassis.persistence.lease import Lease
from chassis.persistence.unit_of_work import OUTBOX
from tests.chassis.harness import Harness
from tests.chassis.sample_service import Jar, Transaction, fill_jar
from tests.fakes import eventually


def value(metric: Gauge | Counter) -> float:
    samples = [sample for family in metric.collect() for sample in family.samples]
    return next(sample.value for sample in samples if not sample.name.endswith("_created"))


async def fill(harness: Harness, jar: Jar, times: int) -> None:
    async def fill_once(tx: Transaction) -> None:
        await fill_jar(jar.id, 1, tx)

    for _ in range(times):
        await harness.run()(fill_once)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_gauges, "MEASURE_SECONDS", 0.1)


async def test_gauges_are_measured_while_a_send_waits_for_the_broker(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "SEND_SECONDS", 600.0)
    jar = await harness.jar(capacity=100)
    harness.fake.silent = True
    await fill(harness, jar, 3)
    rows = await eventually(lambda: max(0, value(telemetry.OUTBOX_UNSENT) - 2))
    rows += 2  # the audit's anchor may be among them
    age = await eventually(lambda: value(telemetry.OUTBOX_AGE))
    await fill(harness, jar, 2)
    await eventually(lambda: value(telemetry.OUTBOX_UNSENT) >= rows + 2)
    await eventually(lambda: value(telemetry.OUTBOX_AGE) > age + 1)


async def test_a_relay_whose_sends_fail_does_not_lead_until_one_succeeds(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease is held meanwhile."""
    monkeypatch.setattr(kafka, "SEND_SECONDS", 0.1)
    jar = await harness.jar(capacity=100)
    await eventually(lambda: value(telemetry.RELAY_LEADER) == 1)
    failures = value(telemetry.RELAY_FAILURES)
    harness.fake.silent = True
    await fill(harness, jar, 1)
    await eventually(lambda: value(telemetry.RELAY_LEADER) == 0)
    await eventually(lambda: value(telemetry.RELAY_FAILURES) > failures + 1)
    assert value(telemetry.RELAY_LEADER) == 0
    assert not await Lease(harness.db, "relay", "another", 1).take()
    harness.fake.silent = False
    await eventually(lambda: value(telemetry.RELAY_LEADER) == 1)
    await eventually(lambda: value(telemetry.OUTBOX_UNSENT) == 0)
    assert await harness.db.count(OUTBOX, {"sent": False}) == 0
