"""The measured service as two apps: one takes commands, the other reads their events.

Not here: how their processes are started (processes).
"""

from __future__ import annotations

import asyncio
import time
from datetime import date
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import BaseModel, Field

from chassis.app import factory, service
from chassis.http import dependencies
from chassis.http.idempotency import RequestRunner
from chassis.ids import new_id
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext
from chassis.settings import Settings
from ops.bench.system_under_test.domain import (
    BENCH_CALLER,
    HANDLERS,
    CompletionRecorded,
    CourseCompleted,
    Transaction,
    complete,
)

Run = Annotated[RequestRunner[Transaction], Depends(dependencies.runner)]
KEYS = 5_000  # as in reference/common_events.py
commands = APIRouter()
effects = APIRouter()


class WritingSettings(Settings, prefix="TRAINING_"):
    """The chassis settings of the writing service."""


class ReadingSettings(Settings, prefix="CERTIFICATION_"):
    """The chassis settings of the reading service."""


class CommitClock:
    """Commit times by correlation id, in ns of CLOCK_MONOTONIC, which all processes share."""

    def __init__(self) -> None:
        self._commit_times: dict[str, int] = {}

    def record_commit(self, tx: Transaction) -> None:
        """Record the effects of one commit."""
        now = time.monotonic_ns()
        self._commit_times.update(dict.fromkeys(tx.took_effect, now))

    def take(self) -> dict[str, int]:
        """Return the commit times since the last call."""
        commit_times = self._commit_times
        self._commit_times = {}
        return commit_times


class Completion(BaseModel):
    """The body of a command: a participant completed a course."""

    model_config = dependencies.STRICT
    participant_ref: str
    class_id: str
    completed_on: date
    note: str


class Burst(BaseModel):
    """Commands at a steady rate, run in the process of the service; `first` is the first number."""

    model_config = dependencies.STRICT
    per_second: float = Field(gt=0)
    seconds: float = Field(gt=0)
    first: int = 0


class ProgressBody(BaseModel):
    """The answer to a command: the participant's state."""

    participant_ref: str
    completed: int


@commands.post("/v1/completions", status_code=201)
async def post_completion(body: Completion, run: Run) -> ProgressBody:
    """Run one command."""
    after = await run(partial(complete, CourseCompleted(**body.model_dump())))
    return ProgressBody(participant_ref=after.id, completed=after.completed)


@commands.post("/v1/bursts")
async def post_burst(body: Burst, request: Request) -> dict[str, int]:
    """Run commands at a steady rate, however long each takes; return their commit times."""
    engine: TransactionManager[Transaction] = request.app.state.engine
    loop = asyncio.get_running_loop()
    began = loop.time()
    running: list[asyncio.Task[object]] = []
    clock: CommitClock = request.app.state.clock
    clock.take()
    for number in range(int(body.per_second * body.seconds)):
        await asyncio.sleep(max(0.0, began + number / body.per_second - loop.time()))
        run = Runner(engine, OperationContext(caller=BENCH_CALLER, correlation_id=new_id()))
        running.append(
            asyncio.create_task(run(partial(complete, make_command(body.first + number))))
        )
    await asyncio.gather(*running)
    return clock.take()


@effects.get("/v1/effects")
async def get_effects(request: Request) -> dict[str, int]:
    """Return the commit times of the effects since the last call, by correlation id."""
    clock: CommitClock = request.app.state.clock
    return clock.take()


def make_command(number: int) -> CourseCompleted:
    """Return the command of this number: about 470 bytes of body, one of KEYS keys."""
    return CourseCompleted(
        participant_ref=f"p-{number % KEYS:08d}",
        class_id=f"c-{number % 97}",
        completed_on=date(2026, 11, 24),
        note="x" * 380,
    )


def create_writing_app(settings: WritingSettings) -> FastAPI:
    """Return the app that takes commands."""
    return _create_app(
        service.Service(
            name="training",
            settings=settings,
            transaction=Transaction,
            routers=(commands,),
            published=(CourseCompleted,),
            ports={"clock": CommitClock()},
        )
    )


def create_reading_app(settings: ReadingSettings) -> FastAPI:
    """Return the app that reads the events of the writing service."""
    return _create_app(build_reading_service(settings))


def build_reading_service(settings: ReadingSettings) -> service.Service[Transaction]:
    """Return the definition of the reading service."""
    return service.Service(
        name="certification",
        settings=settings,
        transaction=Transaction,
        routers=(effects,),
        published=(CompletionRecorded,),
        handlers=HANDLERS,
        ports={"clock": CommitClock()},
    )


def _create_app(service: service.Service[Transaction]) -> FastAPI:
    app = factory.create_app(service)
    engine: TransactionManager[Any] = app.state.engine
    engine.after_commit.append(service.ports["clock"].record_commit)
    return app
