"""A process is stopped (SIGSTOP) longer than its lease or session and then continues.

First occurrences stay in order; effects come once and in order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.harness import ClusterHarness

# a driver drops the socket of a connection that a dying server has cut
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]
Record = Callable[[str, Any], None]


@pytest.mark.parametrize("point", ["send", "acknowledgement"])
async def test_a_relay_that_wakes_after_its_lease_adds_only_late_duplicates(
    harness: ClusterHarness, point: str, record_property: Record
) -> None:
    async with harness.load() as load:
        await harness.caught_up()
        frozen = await harness.leader()
        frozen.lay(point, "stop")
        await frozen.frozen()
        # The other replica publishes what the stopped one had read and not marked.
        await harness.caught_up()
        assert await harness.leader() is not frozen
        await harness.caught_up()
        frozen.wake()
        await frozen.ready()
        await harness.caught_up()
        assert frozen.runs()
    figures = await harness.exactly(load)
    assert figures["repeated_in_topic"], figures
    record_property("figures", figures)


@pytest.mark.parametrize("point", ["poll", "position"])
async def test_a_consumer_that_wakes_after_its_session_applies_nothing_twice(
    harness: ClusterHarness, point: str, record_property: Record
) -> None:
    async with harness.load() as load:
        await harness.caught_up()
        frozen = harness.readers[0]
        frozen.lay(point, "stop")
        await frozen.frozen()
        await harness.caught_up()  # the other replica also reads the partitions of the stopped one
        frozen.wake()
        await harness.caught_up()
        await frozen.ready()
        await harness.caught_up()
        assert frozen.runs()
    record_property("figures", await harness.exactly(load))
