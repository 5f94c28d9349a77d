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
from services.training.tasks.rules import Item, ItemKind, ItemState
from services.training.transaction import Run

router = APIRouter(tags=["Kotak masuk petugas"])


class Resolution(BaseModel):
    """What was decided, in a word, and why."""

    model_config = dependencies.STRICT
    resolution: Annotated[str, Field(min_length=2, max_length=40, pattern=r"^[a-z_]+$")]
    reason: Annotated[str, Field(max_length=500)] = ""


class ItemBody(BaseModel):
    """A change of circumstance that somebody must look at."""

    item_id: str
    version: int
    kind: ItemKind
    title: str
    facility_id: str
    participant_ref: str | None
    facts: dict[str, str]
    role: str
    opened_at: datetime
    due_on: date
    state: ItemState
    resolution: str
    reason: str

    @classmethod
    def of(cls, item: Item) -> ItemBody:
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


@router.get("/v1/inbox-items", summary="Daftar kotak masuk petugas")
async def list_items(
    run: Run,
    state: ItemState | None = None,
    kind: ItemKind | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[ItemBody]:
    """The caller's items, oldest first."""
    page = await run(partial(usecases.items, state, kind, cursor, limit))
    return paging.PageBody(
        items=[ItemBody.of(item) for item in page.items], next_cursor=page.next_cursor
    )


@router.get("/v1/inbox-items/{item_id}", summary="Lihat butir kotak masuk")
async def show_item(item_id: str, run: Run, response: Response) -> ItemBody:
    """One item."""
    item = await run(partial(usecases.item, item_id))
    dependencies.etag(response, item)
    return ItemBody.of(item)


@router.post("/v1/inbox-items/{item_id}/acknowledgement", summary="Tandai butir sudah dibaca")
async def acknowledge_item(
    item_id: str, version: dependencies.IfMatch, run: Run, response: Response
) -> ItemBody:
    """Seen; the same change opens a new item from now on."""
    item = await run(partial(usecases.acknowledge_item, item_id, version))
    dependencies.etag(response, item)
    return ItemBody.of(item)


@router.post("/v1/inbox-items/{item_id}/resolution", summary="Selesaikan butir kotak masuk")
async def resolve_item(
    item_id: str, body: Resolution, version: dependencies.IfMatch, run: Run, response: Response
) -> ItemBody:
    """The same resolution again succeeds, another one is a conflict."""
    item = await run(partial(usecases.resolve_item, item_id, body.resolution, body.reason, version))
    dependencies.etag(response, item)
    return ItemBody.of(item)
