"""SIGKILL to servers and processes of a cluster under load.

Commands go on while a majority lives, and the end state is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.cluster.cluster import MEMBERS
from tests.cluster.harness import REPLICAS, SETTLED_SECONDS, Process, Stage
from tests.fakes import eventually

# a driver drops the socket of a connection that a dying server has cut
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]
Record = Callable[[str, Any], None]


async def test_a_killed_primary_loses_nothing_and_the_next_takes_commands(
    stage: Stage, record_property: Record
) -> None:
    async with stage.load() as load:
        for _ in range(2):
            await stage.caught_up()
            killed = await stage.cluster.primary()
            await stage.cluster.kill_mongod(killed)
            assert await stage.cluster.primary() != killed
            await stage.caught_up()
            await stage.cluster.restart_mongod(killed)
            await stage.caught_up()
    record_property("figures", await stage.exactly(load))


async def test_each_broker_killed_in_turn_stops_no_command_and_loses_no_event(
    stage: Stage, record_property: Record
) -> None:
    async with stage.load() as load:
        await stage.caught_up()
        for at in range(MEMBERS):
            await stage.cluster.kill_broker(at, stage.topic)
            await stage.caught_up()
            await stage.cluster.restart_broker(at, stage.topic)
            await stage.caught_up()
    record_property("figures", await stage.exactly(load))


async def test_the_other_replica_publishes_when_the_relays_holder_is_killed(
    stage: Stage, record_property: Record
) -> None:
    async with stage.load() as load:
        for _ in range(2):
            await stage.caught_up()
            killed = await stage.leader()
            killed.kill()
            await eventually(partial(_another_leads, stage, killed), seconds=SETTLED_SECONDS)
            await stage.caught_up()
            killed.start()
            await killed.ready()
    record_property("figures", await stage.exactly(load))


async def _another_leads(stage: Stage, than: Process) -> bool:
    return await stage.leader() is not than


@pytest.mark.parametrize("point", ["revoked", "assigned"])
async def test_a_consumer_killed_in_a_rebalance_leaves_no_gap_or_duplicate(
    stage: Stage, point: str, record_property: Record
) -> None:
    killed = stage.readers[0]
    joining = stage.process("reader", REPLICAS)
    stage.also.append(joining)
    async with stage.load() as load:
        await stage.caught_up()
        killed.lay(point, "kill")
        joining.start()
        await killed.dead()
        await stage.caught_up()
        killed.start()
        await killed.ready()
        await joining.ready()
        await stage.caught_up()
    record_property("figures", await stage.exactly(load))
