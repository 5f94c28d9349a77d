"""Slow, silent and cut connections between the services and their servers.

Each broker has a proxy, and so has MongoDB's primary. The connection to MongoDB is direct: a client
of the replica set would connect to the members' own addresses, past the proxy.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from ops.local import platform_checks
from tests.cluster import harness as processes
from tests.cluster import proxy as wires
from tests.cluster.cluster import Cluster
from tests.cluster.harness import ClusterHarness
from tests.cluster.proxy import Proxy

# a driver drops the socket of a connection that was cut
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]
Record = Callable[[str, Any], None]
DELAY_SECONDS = 0.02
# Longer than the relay's lease, which the other replica then takes, and than the timeout after
# which an unacknowledged request is sent again
BROKERS_SILENT_SECONDS = 12.0
DATABASE_SILENT_SECONDS = 6.0


@pytest.fixture
async def wired(
    cluster: Cluster, tmp_path: Path
) -> AsyncIterator[tuple[ClusterHarness, Proxy, list[Proxy]]]:
    """Run two shops and two readers behind a proxy for MongoDB and one for each broker."""
    port = platform_checks.find_free_ports(1)[0]
    ways = {port: cluster.mongo_ports[await cluster.primary()]} | cluster.proxies
    behind = {"mongo_url": cluster.direct_mongo_url(port), "kafka": cluster.kafka_behind_proxies}
    async with (
        wires.running(ways) as (mongo, *brokers),
        processes.running(cluster, tmp_path, **behind) as harness,
    ):
        assert mongo.connections
        assert all(broker.connections for broker in brokers)
        yield harness, mongo, brokers


async def test_slow_and_cut_connections_lose_nothing_and_repeat_no_effect(
    wired: tuple[ClusterHarness, Proxy, list[Proxy]], record_property: Record
) -> None:
    harness, mongo, brokers = wired
    async with harness.load() as load:
        await harness.caught_up()
        for proxy in (mongo, *brokers):
            proxy.delay = DELAY_SECONDS
        for cut in ([mongo], brokers, [mongo, *brokers]) * 4:
            await harness.caught_up()
            for proxy in cut:
                proxy.cut()
        await harness.caught_up()
    record_property("figures", await harness.exactly(load))


async def test_silent_brokers_stop_no_command_and_a_silent_database_pauses(
    wired: tuple[ClusterHarness, Proxy, list[Proxy]], record_property: Record
) -> None:
    harness, mongo, brokers = wired
    async with harness.load() as load:
        await harness.caught_up()
        before = load.answered.total()
        for proxy in brokers:
            proxy.hold()
        await asyncio.sleep(BROKERS_SILENT_SECONDS)
        assert load.longest_gap < DATABASE_SILENT_SECONDS
        assert load.answered.total() > before
        for proxy in brokers:
            proxy.cut()
            proxy.let_go()
        await harness.caught_up()
        mongo.hold()
        await asyncio.sleep(DATABASE_SILENT_SECONDS)
        mongo.let_go()
        await harness.caught_up()
        mongo.hold()
        await asyncio.sleep(DATABASE_SILENT_SECONDS)
        mongo.cut()
        mongo.let_go()
        await harness.caught_up()
    record_property("figures", await harness.exactly(load))
