"""The supervised loop: it starts a worker again after each failure, until it is ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from chassis.errors import Busy
from chassis.jobs import supervision
from chassis.jobs.supervision import run_supervised
from chassis.persistence.mongo import MongoError


class FailingWorker:
    """A worker that raises the given errors, one a run, and then runs until it is cancelled."""

    def __init__(self, errors: Sequence[Exception]) -> None:
        self._errors = iter(errors)
        self.is_running = asyncio.Event()

    async def run(self) -> None:
        error = next(self._errors, None)
        if error is not None:
            raise error
        self.is_running.set()
        await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def without_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "RETRY_SECONDS", 0.0)


async def test_a_failed_worker_starts_again_and_ends_when_cancelled() -> None:
    worker = FailingWorker([MongoError("away"), Busy(), ValueError("a defect")])
    task = asyncio.create_task(run_supervised(worker.run))
    async with asyncio.timeout(5):
        await worker.is_running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_only_an_unexpected_failure_is_logged_with_its_stack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    levels: list[str] = []

    class Log:
        def warning(self, event: str, **_: object) -> None:
            levels.append(f"warning {event}")

        def exception(self, event: str) -> None:
            levels.append(f"exception {event}")

    monkeypatch.setattr(supervision, "log", Log())
    worker = FailingWorker([MongoError("away"), Busy(), ValueError("a defect")])
    task = asyncio.create_task(run_supervised(worker.run))
    async with asyncio.timeout(5):
        await worker.is_running.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert levels == [
        "warning worker_interrupted",
        "warning worker_interrupted",
        "exception worker_failed",
    ]


async def test_no_run_begins_after_the_end() -> None:
    worker = FailingWorker([])
    await run_supervised(worker.run, is_ended=lambda: True)
    assert not worker.is_running.is_set()
