"""How participants and their movements are kept."""

from __future__ import annotations

from collections.abc import Collection

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.training.participants.rules import (
    Custody,
    Movement,
    MovementKind,
    Participant,
    ParticipantUnknown,
)

_IN_CUSTODY = [Custody.HELD.value, Custody.ABSENT.value, Custody.MISSING.value]


class Participants(Store[Participant]):
    kind = Participant
    collection = "participants"
    unknown = ParticipantUnknown
    scope = {"facility": "facility_id"}
    indexes = (
        Index("source_ref", unique=True),
        Index("other_refs"),
        Index("facility_id", "state", "source_ref"),
    )
    awaited = True

    async def find_by_source_refs(self, refs: Collection[str]) -> dict[str, Participant]:
        """The people behind these source references, merged records too. Unscoped: a snapshot speaks of people wherever they are held."""
        found = await self.find(
            {"$or": [{"source_ref": {"$in": sorted(refs)}}, {"other_refs": {"$in": sorted(refs)}}]},
            scoped=False,
        )
        return {person.source_ref: person for person in found}

    async def list_in_custody(self, facility_id: str) -> list[Participant]:
        """Everybody with an open stay in the facility."""
        return await self.find({"facility_id": facility_id, "state": {"$in": _IN_CUSTODY}})

    async def list_page(
        self,
        facility_id: str | None,
        state: Custody | None,
        source_ref: str | None,
        cursor: str | None,
        limit: int,
    ) -> Page[Participant]:
        """The caller's people by reference in the source."""
        where = {
            name: value
            for name, value in (
                ("facility_id", facility_id),
                ("state", state and state.value),
                ("source_ref", source_ref),
            )
            if value
        }
        return await self.page(where, sort=("source_ref", 1), cursor=cursor, limit=limit)


class Movements(Store[Movement]):
    kind = Movement
    collection = "movements"
    scope = {"facility": "facility_id"}
    indexes = (Index("snapshot_id", "kind"), Index("participant_ref", "as_of"))
    audited = False

    async def list_page(
        self, snapshot_id: str, kind: MovementKind | None, cursor: str | None, limit: int
    ) -> Page[Movement]:
        """What a snapshot moved. Unscoped: whoever sees the snapshot sees its movements, also those that end a stay elsewhere."""
        where = {"snapshot_id": snapshot_id} | ({"kind": kind.value} if kind else {})
        return await self.page(where, cursor=cursor, limit=limit, scoped=False)
