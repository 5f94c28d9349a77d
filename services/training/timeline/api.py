"""How timelines are asked for."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from fastapi import APIRouter
from pydantic import BaseModel

from chassis.http import dependencies, paging
from services.training.timeline import usecases
from services.training.timeline.rules import Entry
from services.training.transaction import Run

router = APIRouter(tags=["Riwayat"])


class EntryBody(BaseModel):
    """One event in a life, by the stable name of its type."""

    entry_id: str
    kind: str
    facts: dict[str, str]
    occurred_at: datetime
    recorded_at: datetime
    source: str
    actor_role: str
    correlation_id: str

    @classmethod
    def of(cls, entry: Entry) -> EntryBody:
        """The body of an entry."""
        return cls(
            entry_id=entry.id,
            kind=entry.kind,
            facts=entry.facts,
            occurred_at=entry.occurred_at,
            recorded_at=entry.recorded_at,
            source=entry.source,
            actor_role=entry.actor_role,
            correlation_id=entry.correlation_id,
        )


@router.get("/v1/participants/{participant_ref}/timeline", summary="Riwayat warga binaan")
async def participant_timeline(
    participant_ref: str, run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[EntryBody]:
    """Movements, applications, decisions, enrolments, attendance, completion, certificates and placements, in the order they happened."""
    page = await run(partial(usecases.of_participant, participant_ref, cursor, limit))
    return paging.PageBody(
        items=[EntryBody.of(entry) for entry in page.items], next_cursor=page.next_cursor
    )


@router.get("/v1/classes/{class_id}/timeline", summary="Riwayat kelas")
async def class_timeline(
    class_id: str, run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[EntryBody]:
    """Its opening and the sessions held."""
    page = await run(partial(usecases.of_class, class_id, cursor, limit))
    return paging.PageBody(
        items=[EntryBody.of(entry) for entry in page.items], next_cursor=page.next_cursor
    )
