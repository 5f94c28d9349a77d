"""Routes of tasks: list, show, acknowledge, resolve."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from services.training.settings import TEXTS
from services.training.tasks import usecases
from services.training.tasks.rules import Task, TaskKind, TaskState
from services.training.transaction import Run

router = APIRouter(tags=["Kotak masuk petugas"])


class Resolution(BaseModel):
    """The decision as a code, and the reason for it."""

    model_config = dependencies.STRICT
    resolution: Annotated[str, Field(min_length=2, max_length=40, pattern=r"^[a-z_]+$")]
    reason: Annotated[str, Field(max_length=500)] = ""


class TaskBody(BaseModel):
    """A matter that an officer must look at."""

    item_id: str
    version: int
    kind: TaskKind
    title: str
    facility_id: str
    participant_ref: str | None
    facts: dict[str, str]
    role: str
    opened_at: datetime
    due_on: date
    state: TaskState
    resolution: str
    reason: str

    @classmethod
    def of(cls, task: Task) -> TaskBody:
        """Return the body of a task."""
        return cls(
            item_id=task.id,
            version=task.version,
            kind=task.kind,
            title=TEXTS[f"tasks.{task.kind}"].localised,
            facility_id=task.facility_id,
            participant_ref=task.participant_ref or None,
            facts=task.facts,
            role=task.role,
            opened_at=task.opened_at,
            due_on=task.due_on,
            state=task.state,
            resolution=task.resolution,
            reason=task.reason,
        )


@router.get("/v1/training-tasks", summary="Daftar kotak masuk petugas")
async def list_items(
    run: Run,
    state: TaskState | None = None,
    kind: TaskKind | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[TaskBody]:
    """List the tasks in the caller's scope, oldest first."""
    page = await run(partial(usecases.list_tasks, state, kind, cursor, limit))
    items = [TaskBody.of(task) for task in page.items]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)


@router.get("/v1/training-tasks/{item_id}", summary="Lihat butir kotak masuk")
async def show_item(item_id: str, run: Run, response: Response) -> TaskBody:
    """Show one task."""
    task = await run(partial(usecases.read_task, item_id))
    dependencies.set_etag(response, task)
    return TaskBody.of(task)


@router.post("/v1/training-tasks/{item_id}/acknowledgement", summary="Tandai butir sudah dibaca")
async def acknowledge_item(
    item_id: str, version: dependencies.RequiredIfMatch, run: Run, response: Response
) -> TaskBody:
    """Mark a task as seen; the same matter then opens a new task."""
    command = partial(usecases.acknowledge_task, item_id, version)
    task = await run(command, view=usecases.view_task)
    dependencies.set_etag(response, task)
    return TaskBody.of(task)


@router.post("/v1/training-tasks/{item_id}/resolution", summary="Selesaikan butir kotak masuk")
async def resolve_item(
    item_id: str,
    body: Resolution,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> TaskBody:
    """Resolve a task; the same resolution again succeeds, another one is a conflict."""
    command = partial(usecases.resolve_task, item_id, body.resolution, body.reason, version)
    task = await run(command, view=usecases.view_task)
    dependencies.set_etag(response, task)
    return TaskBody.of(task)
