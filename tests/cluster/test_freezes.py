"""A process sleeps (SIGSTOP) past its lease or session and wakes in the middle of its work.

First occurrences stay in order; effects come once and in order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.harness import Stage

# a driver drops the socket of a connection that a dying server has cut
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]
Record = Callable[[str, Any], None]


@pytest.mark.parametrize("point", ["send", "acknowledgement"])
async def test_a_relay_that_wakes_after_its_lease_adds_only_late_duplicates(
    stage: Stage, point: str, record_property: Record
) -> None:
    async with stage.load() as load:
        await stage.caught_up()
        frozen = await stage.leader()
        frozen.lay(point, "stop")
        await frozen.frozen()
        await (
            stage.caught_up()
        )  # what the sleeper had read and not marked is published by the other
        assert await stage.leader() is not frozen
        await stage.caught_up()
        frozen.wake()
        await frozen.ready()
        await stage.caught_up()
        assert frozen.runs()
    figures = await stage.exactly(load)
    assert figures["repeated_in_topic"], figures
    record_property("figures", figures)


@pytest.mark.parametrize("point", ["poll", "position"])
async def test_a_consumer_that_wakes_after_its_session_applies_nothing_twice(
    stage: Stage, point: str, record_property: Record
) -> None:
    async with stage.load() as load:
        await stage.caught_up()
        frozen = stage.readers[0]
        frozen.lay(point, "stop")
        await frozen.frozen()
        await stage.caught_up()  # the other reads the sleeper's partitions too
        frozen.wake()
        await stage.caught_up()
        await frozen.ready()
        await stage.caught_up()
        assert frozen.runs()
    record_property("figures", await stage.exactly(load))
