"""SIGKILL to servers and processes of a cluster under load.

Commands are answered while a majority lives, and the final state is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.cluster.cluster import MEMBERS
from tests.cluster.harness import REPLICAS, SETTLED_SECONDS, ClusterHarness, Process
from tests.fakes import eventually

# a driver drops the socket of a connection that a dying server has cut
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]
Record = Callable[[str, Any], None]


async def test_a_killed_primary_loses_nothing_and_the_next_takes_commands(
    harness: ClusterHarness, record_property: Record
) -> None:
    async with harness.load() as load:
        for _ in range(2):
            await harness.caught_up()
            killed = await harness.cluster.primary()
            await harness.cluster.kill_mongod(killed)
            assert await harness.cluster.primary() != killed
            await harness.caught_up()
            await harness.cluster.restart_mongod(killed)
            await harness.caught_up()
    record_property("figures", await harness.exactly(load))


async def test_each_broker_killed_in_turn_stops_no_command_and_loses_no_event(
    harness: ClusterHarness, record_property: Record
) -> None:
    async with harness.load() as load:
        await harness.caught_up()
        for at in range(MEMBERS):
            await harness.cluster.kill_broker(at, harness.topic)
            await harness.caught_up()
            await harness.cluster.restart_broker(at, harness.topic)
            await harness.caught_up()
    record_property("figures", await harness.exactly(load))


async def test_the_other_replica_publishes_when_the_relays_holder_is_killed(
    harness: ClusterHarness, record_property: Record
) -> None:
    async with harness.load() as load:
        for _ in range(2):
            await harness.caught_up()
            killed = await harness.leader()
            killed.kill()
            await eventually(partial(_another_leads, harness, killed), seconds=SETTLED_SECONDS)
            await harness.caught_up()
            killed.start()
            await killed.ready()
    record_property("figures", await harness.exactly(load))


async def _another_leads(harness: ClusterHarness, than: Process) -> bool:
    return await harness.leader() is not than


@pytest.mark.parametrize("point", ["revoked", "assigned"])
async def test_a_consumer_killed_in_a_rebalance_leaves_no_gap_or_duplicate(
    harness: ClusterHarness, point: str, record_property: Record
) -> None:
    killed = harness.readers[0]
    joining = harness.process("reader", REPLICAS)
    harness.also.append(joining)
    async with harness.load() as load:
        await harness.caught_up()
        killed.lay(point, "kill")
        joining.start()
        await killed.dead()
        await harness.caught_up()
        killed.start()
        await killed.ready()
        await joining.ready()
        await harness.caught_up()
    record_property("figures", await harness.exactly(load))
