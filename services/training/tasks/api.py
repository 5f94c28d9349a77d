"""How the staff inbox is asked for."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from services.training import texts
from services.training.tasks import usecases
from services.training.tasks.rules import Task, TaskKind, TaskState
from services.training.transaction import Run

router = APIRouter(tags=["Kotak masuk petugas"])


class Resolution(BaseModel):
    """What was decided, in a word, and why."""

    model_config = dependencies.STRICT
    resolution: Annotated[str, Field(min_length=2, max_length=40, pattern=r"^[a-z_]+$")]
    reason: Annotated[str, Field(max_length=500)] = ""


class TaskBody(BaseModel):
    """A change of circumstance that somebody must look at."""

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
    def of(cls, item: Task) -> TaskBody:
        """The body of an item."""
        return cls(
            item_id=item.id,
            version=item.version,
            kind=item.kind,
            title=texts.ITEMS[item.kind],
            facility_id=item.facility_id,
            participant_ref=item.participant_ref or None,
            facts=item.facts,
            role=item.role,
            opened_at=item.opened_at,
            due_on=item.due_on,
            state=item.state,
            resolution=item.resolution,
            reason=item.reason,
        )


@router.get("/v1/training-tasks", summary="Daftar kotak masuk petugas")
async def list_items(
    run: Run,
    state: TaskState | None = None,
    kind: TaskKind | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[TaskBody]:
    """The caller's items, oldest first."""
    page = await run(partial(usecases.items, state, kind, cursor, limit))
    return paging.PageBody(
        items=[TaskBody.of(item) for item in page.items], next_cursor=page.next_cursor
    )


@router.get("/v1/training-tasks/{item_id}", summary="Lihat butir kotak masuk")
async def show_item(item_id: str, run: Run, response: Response) -> TaskBody:
    """One item."""
    item = await run(partial(usecases.item, item_id))
    dependencies.set_etag(response, item)
    return TaskBody.of(item)


@router.post("/v1/training-tasks/{item_id}/acknowledgement", summary="Tandai butir sudah dibaca")
async def acknowledge_item(
    item_id: str, version: dependencies.IfMatch, run: Run, response: Response
) -> TaskBody:
    """Seen; the same change opens a new item from now on."""
    item = await run(partial(usecases.acknowledge_item, item_id, version))
    dependencies.set_etag(response, item)
    return TaskBody.of(item)


@router.post("/v1/training-tasks/{item_id}/resolution", summary="Selesaikan butir kotak masuk")
async def resolve_item(
    item_id: str, body: Resolution, version: dependencies.IfMatch, run: Run, response: Response
) -> TaskBody:
    """The same resolution again succeeds, another one is a conflict."""
    item = await run(partial(usecases.resolve_item, item_id, body.resolution, body.reason, version))
    dependencies.set_etag(response, item)
    return TaskBody.of(item)
