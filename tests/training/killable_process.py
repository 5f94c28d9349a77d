"""A training service that ends itself with SIGKILL in the middle of an import; run by test_kill.py as a process of its own."""

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
from services.training.snapshots import usecases
from services.training.transaction import Transaction
from tests.fakes import Keys, running
from tests.training import factories

NTH = 3
_counted = 0


def _dies(point: str) -> None:
    """Let the third step of the import be the last thing this process does."""
    step, after = usecases.apply_next_chunk, usecases.apply_next

    async def written(tx: Transaction) -> bool:
        done = await step(tx)
        if _turn():
            await tx.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    async def committed(run: Runner[Transaction]) -> bool:
        done = await after(run)
        if _turn():
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    if point == "written":
        usecases.apply_next_chunk = written
    else:
        composition.apply_next = committed


def _turn() -> bool:
    global _counted  # noqa: PLW0603 - one import, one process
    _counted += 1
    return _counted == NTH


async def _live(told: dict[str, Any], data: bytes) -> None:
    settings = TrainingSettings(**told["settings"])
    keys = Keys(Path(told["keys"]), told["private"])
    async with running(composition.create_app(settings), keys, "training") as client:
        await factories.facility(client, "LP-TJP")
        await factories.upload(client, "LP-TJP", data, told["taken_at"])


if __name__ == "__main__":
    question = json.loads(Path(sys.argv[1]).read_text())
    telemetry.configure("training", "debug")
    _dies(question["point"])
    asyncio.run(_live(question, Path(question["file"]).read_bytes()))
