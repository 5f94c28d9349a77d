"""Routes of tasks: list, summary, show, acknowledge, resolve."""

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
from services.training.settings import TEXTS
from services.training.tasks import usecases
from services.training.tasks.rules import KINDS, Task, TaskKind
from services.training.transaction import Run

router = APIRouter(tags=["Kotak masuk petugas"])
Role = Annotated[str, Field(max_length=40)]


def body_of(task: Task) -> TaskBody:
    """Return the body of a task."""
    return TaskBody(
        id=task.id,
        version=task.version,
        kind=task.kind,
        title=TEXTS[f"tasks.{task.kind}"].localised,
        facility_id=task.facility_id,
        participant_ref=task.participant_ref or None,
        subject=task.subject or None,
        facts=task.facts,
        role=task.role,
        opened_at=task.opened_at,
        due_on=task.due_on,
        state=task.state,
        resolution=task.resolution or None,
        reason=task.reason,
        resolved_by=task.resolved_by or None,
    )


@router.get("/v1/training-tasks", summary="Daftar kotak masuk petugas")
async def list_items(
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


@router.get("/v1/training-tasks/summary", summary="Ringkasan kotak masuk petugas")
async def summarise_items(run: Run) -> TaskSummaryBody:
    """Count the unresolved tasks in the caller's scope by kind, and those overdue."""
    return TaskSummaryBody.of(await run(usecases.summarise_tasks), KINDS, TEXTS)


@router.get("/v1/training-tasks/{task_id}", summary="Lihat butir kotak masuk")
async def show_item(task_id: str, run: Run, response: Response) -> TaskBody:
    """Show one task."""
    task = await run(partial(usecases.read_task, task_id))
    dependencies.set_etag(response, task)
    return body_of(task)


@router.get("/v1/training-tasks/{task_id}/resolutions", summary="Pilihan penyelesaian butir")
async def list_resolutions(task_id: str, run: Run) -> ResolutionsBody:
    """List the ways to resolve one task, and the route that performs each."""
    task = await run(partial(usecases.read_task, task_id))
    return ResolutionsBody.of(KINDS[task.kind], TEXTS)


@router.post("/v1/training-tasks/{task_id}/acknowledgement", summary="Tandai butir sudah dibaca")
async def acknowledge_item(
    task_id: str, version: dependencies.RequiredIfMatch, run: Run, response: Response
) -> TaskBody:
    """Mark a task as seen; the same matter then opens a new task."""
    command = partial(usecases.acknowledge_task, task_id, version)
    task = await run(command, view=usecases.view_task)
    dependencies.set_etag(response, task)
    return body_of(task)


@router.post("/v1/training-tasks/{task_id}/resolutions", summary="Selesaikan butir kotak masuk")
async def resolve_item(
    task_id: str,
    body: ResolutionForm,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> TaskBody:
    """Resolve a task by a code of its list; the same again succeeds, another is a conflict."""
    command = partial(usecases.resolve_task, task_id, body.resolution, body.reason, version)
    task = await run(command, view=usecases.view_task)
    dependencies.set_etag(response, task)
    return body_of(task)
