"""Routes of the timelines of participants and classes."""

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
    """One event, named by its type without the version."""

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
        """Return the body of an entry."""
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
    """List a participant's events in the order in which they happened.

    The events are movements, applications, decisions, enrolments, attendance, completion,
    certificates and placements.
    """
    query = partial(usecases.list_entries_of_participant, participant_ref, cursor, limit)
    page = await run(query)
    items = [EntryBody.of(entry) for entry in page.items]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)


@router.get("/v1/classes/{class_id}/timeline", summary="Riwayat kelas")
async def class_timeline(
    class_id: str, run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[EntryBody]:
    """List the opening of a class and its sessions held."""
    page = await run(partial(usecases.list_entries_of_class, class_id, cursor, limit))
    items = [EntryBody.of(entry) for entry in page.items]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)
