"""Fixtures: the cluster of a session, and the processes of a test on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cluster import cluster as servers
from tests.cluster import harness as processes
from tests.cluster.cluster import Cluster
from tests.cluster.harness import ClusterHarness


@pytest.fixture(scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """Run three mongods and three brokers."""
    async with servers.running(tmp_path_factory.mktemp("cluster")) as one:
        yield one


@pytest.fixture
async def harness(cluster: Cluster, tmp_path: Path) -> AsyncIterator[ClusterHarness]:
    """Run two shops and two readers on the cluster."""
    async with processes.running(cluster, tmp_path) as one:
        yield one
