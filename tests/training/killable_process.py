"""A training service that kills itself with SIGKILL during an import.

`test_kill.py` runs it as a process of its own, with a JSON file as argument.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from chassis import telemetry
from chassis.persistence.transactions import Runner
from services.training import app as composition
from services.training.settings import TrainingSettings
from services.training.snapshots import chunks, jobs
from services.training.transaction import Transaction
from tests.fakes import Keys, running
from tests.training import factories

LAST_STEP = 3
_steps = 0


def _kill_at(point: str) -> None:
    """Replace the import's step, so that the third one is the last thing this process does."""
    apply_chunk = chunks.apply_next_chunk
    apply_next = jobs.apply_next

    async def kill_before_commit(facility_id: str, tx: Transaction) -> bool:
        has_more = await apply_chunk(facility_id, tx)
        if _is_last_step():
            await tx.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return has_more

    async def kill_after_commit(facility_id: str, run: Runner[Transaction]) -> bool:
        has_more = await apply_next(facility_id, run)
        if _is_last_step():
            os.kill(os.getpid(), signal.SIGKILL)
        return has_more

    if point == "written":
        chunks.apply_next_chunk = kill_before_commit
    else:
        composition.apply_next = kill_after_commit


def _is_last_step() -> bool:
    global _steps  # noqa: PLW0603 - one import, one process
    _steps += 1
    return _steps == LAST_STEP


async def _import(question: dict[str, Any], data: bytes) -> None:
    settings = TrainingSettings(**question["settings"])
    keys = Keys(Path(question["keys"]), question["private"])
    async with running(composition.create_app(settings), keys, "training") as client:
        await factories.create_facility(client, "LP-TJP")
        await factories.upload(client, "LP-TJP", data, question["taken_at"])


if __name__ == "__main__":
    question = json.loads(Path(sys.argv[1]).read_text())
    telemetry.configure("training", "debug")
    _kill_at(question["point"])
    asyncio.run(_import(question, Path(question["file"]).read_bytes()))
