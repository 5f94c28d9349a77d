"""Routes of the tasks of officers.

Not here: how a task comes into being (usecases).
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from services.marketplace.tasks import usecases
from services.marketplace.tasks.rules import Task
from services.marketplace.transaction import Run

router = APIRouter(prefix="/v1/marketplace-tasks", tags=["Tugas petugas"])


class TaskBody(BaseModel):
    id: str
    version: int
    kind: str
    subject: str
    facts: dict[str, str]
    raised_at: datetime
    done_at: datetime | None
    done_by: str
    outcome: str

    @classmethod
    def of(cls, task: Task) -> Self:
        """Return the body of a task."""
        return cls(
            id=task.id,
            version=task.version,
            kind=task.kind,
            subject=task.subject,
            facts=task.facts,
            raised_at=task.raised_at,
            done_at=task.done_at,
            done_by=task.done_by,
            outcome=task.outcome,
        )


class OutcomeIn(BaseModel):
    model_config = dependencies.STRICT
    task_id: str = Field(min_length=1, max_length=200)
    outcome: str = Field(min_length=1, max_length=400)


@router.get("")
async def list_tasks(
    run: Run, cursor: str | None = None, limit: dependencies.Limit = 50, *, done: bool = False
) -> paging.PageBody[TaskBody]:
    """Return the open (or done) tasks of the caller's Lapas."""
    page = await run(partial(usecases.list_tasks, cursor, limit, done=done))
    return paging.PageBody(
        items=[TaskBody.of(task) for task in page.items], next_cursor=page.next_cursor
    )


@router.post("/completions")
async def finish_task(
    body: OutcomeIn, run: Run, version: dependencies.RequiredIfMatch, response: Response
) -> TaskBody:
    """Record how a task was settled."""
    task = await run(partial(usecases.finish, body.task_id, body.outcome, version))
    dependencies.set_etag(response, task)
    return TaskBody.of(task)
