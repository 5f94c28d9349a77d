"""`python -m <service> prepare`, as a Job runs it before a rollout.

The database fits the code, Kafka is not needed, and the process ends.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pymongo
import pytest

from ops.local import mongo_users, platform_checks, secrets, topology
from ops.local.state_dir import ROOT


@pytest.mark.parametrize("service", topology.PROCESSES, ids=lambda service: service.name)
async def test_a_part_prepares_its_database_and_ends(
    service: topology.Service, tmp_path: Path, mongo_url: str, database: str
) -> None:
    secrets.make_secrets(tmp_path / "secrets", (service,))
    secrets.write_mongo_url(
        tmp_path / "secrets",
        service.name,
        await mongo_users.make_user(mongo_url, database, "secret"),
    )
    for name in service.directories:
        (tmp_path / service.name / name).mkdir(parents=True)
    env = os.environ | topology.build_environment(
        service, tmp_path, f"{platform_checks.LOOPBACK}:9"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", service.module, "prepare", cwd=ROOT, env=env
    )
    async with asyncio.timeout(60):
        assert await process.wait() == 0
    with pymongo.MongoClient[dict[str, object]](mongo_url) as client:
        assert "key_seq_unique" in client[database]["outbox"].index_information()
        client[database].command("dropUser", database)
