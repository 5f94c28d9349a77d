"""Routes of the tasks of officers.

Not here: how a task comes into being (usecases).
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from chassis.http import dependencies
from chassis.http.task_bodies import (
    ResolutionForm,
    ResolutionsBody,
    TaskBody,
    TaskPageBody,
    TaskSummaryBody,
)
from chassis.tasks import TaskState
from services.marketplace.settings import TEXTS
from services.marketplace.tasks import usecases
from services.marketplace.tasks.rules import KINDS, Task, TaskKind
from services.marketplace.transaction import Run

router = APIRouter(prefix="/v1/marketplace-tasks", tags=["Tugas petugas"])
Role = Annotated[str, Field(max_length=40)]
# An id names kind and cause with a slash between them, which a path segment cannot hold.
_SLASH = "~"


def body_of(task: Task) -> TaskBody:
    """Return the body of a task."""
    return TaskBody(
        id=task.id.replace("/", _SLASH),
        version=task.version,
        kind=task.kind,
        title=TEXTS[f"tasks.{task.kind}"].localised,
        facility_id=task.facility_id,
        participant_ref=None,
        subject=task.subject or None,
        facts=task.facts,
        role=task.role,
        opened_at=task.raised_at,
        due_on=task.due_on,
        state=task.state,
        resolution=task.resolution or None,
        reason=task.outcome,
        resolved_by=task.done_by or None,
    )


def stored_id(task_id: str) -> str:
    """Return the id of a task as it is stored."""
    return task_id.replace(_SLASH, "/")


@router.get("")
async def list_tasks(
    run: Run,
    state: TaskState | None = None,
    kind: TaskKind | None = None,
    role: Role | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> TaskPageBody:
    """List the tasks in the caller's scope, oldest first, with the counts of all by state."""
    page, counts = await run(partial(usecases.list_tasks, state, kind, role, cursor, limit))
    return TaskPageBody(
        items=[body_of(task) for task in page.items],
        next_cursor=page.next_cursor,
        counts={TaskState(name): number for name, number in counts.items()},
    )


@router.get("/summary")
async def summarise_tasks(run: Run) -> TaskSummaryBody:
    """Count the open tasks in the caller's scope by kind, and those overdue."""
    return TaskSummaryBody.of(await run(usecases.summarise_tasks), KINDS, TEXTS)


@router.get("/{task_id}")
async def show_task(task_id: str, run: Run, response: Response) -> TaskBody:
    """Show one task."""
    task = await run(partial(usecases.read_task, stored_id(task_id)))
    dependencies.set_etag(response, task)
    return body_of(task)


@router.get("/{task_id}/resolutions")
async def list_resolutions(task_id: str, run: Run) -> ResolutionsBody:
    """List the ways to resolve one task, and the route that performs each."""
    task = await run(partial(usecases.read_task, stored_id(task_id)))
    return ResolutionsBody.of(KINDS[task.kind], TEXTS)


@router.post("/{task_id}/resolutions")
async def resolve_task(
    task_id: str,
    body: ResolutionForm,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> TaskBody:
    """Resolve a task by a code of its list; the same again succeeds, another is a conflict."""
    id_ = stored_id(task_id)
    command = partial(usecases.resolve_task, id_, body.resolution, body.reason, version)
    task = await run(command)
    dependencies.set_etag(response, task)
    return body_of(task)
