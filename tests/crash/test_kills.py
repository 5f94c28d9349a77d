"""SIGKILL between each pair of {commit, relay read, publish, acknowledgement, mark, poll, effect, position}: nothing lost, nothing twice, nothing out of order."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from chassis.ids import new_id
from chassis.kafka import ensure_topic
from chassis.mongo import Mongo
from tests.crash.victim import POINTS
from tests.doubles import Keys

ROOT = Path(__file__).resolve().parent.parent.parent
OWNERS, COMMANDS = 5, 30


async def life(told: dict[str, Any], tmp_path: Path) -> int:
    file = tmp_path / f"{new_id()}.json"
    file.write_text(json.dumps(told), encoding="utf-8")
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.crash.victim", str(file), cwd=ROOT, stdout=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(90):
            return await child.wait()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


@pytest.mark.scenario("M18/kills")
@pytest.mark.scenario("T31/kills")
@pytest.mark.timeout(400)
async def test_after_a_kill_at_every_point_effects_are_exactly_what_was_committed_in_order(tmp_path: Path, mongo_url: str, kafka: str, database: str) -> None:
    keys = Keys.make(tmp_path, ("gateway", "shop"))
    settings = keys.settings("shop", mongo_url=mongo_url, database=database, kafka=kafka) | {"trusted_keys": str(tmp_path)}
    await ensure_topic(kafka, f"{database}.shop.events", partitions=2)
    owners = [new_id() for _ in range(OWNERS)]
    told = {"settings": settings, "owners": owners, "commands": COMMANDS}
    for point in POINTS:
        nth = {"commit": 7, "publish": 7, "acknowledged": 7, "position": 1}.get(point, 2)
        assert await life(told | {"point": point, "nth": nth}, tmp_path) == -signal.SIGKILL, point
    assert await life(told | {"point": "", "nth": 0}, tmp_path) == 0
    db = Mongo(settings["mongo_url"], database)
    try:
        committed = {owner: [row["seq"] for row in await db.find("outbox", {"key": owner}, sort=[("seq", 1)])] for owner in owners}
        effects = {note["_id"]: [int(text) for text in note["texts"]] for note in await db.find("notes", {})}
    finally:
        await db.close()
    assert effects == committed
    assert all(seqs == list(range(1, len(seqs) + 1)) for seqs in committed.values())
    assert min(map(len, committed.values())) >= COMMANDS
