"""The stores of participants and of their movements."""

from __future__ import annotations

from collections.abc import Collection

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.training.participants.rules import (
    CustodyState,
    Movement,
    MovementKind,
    Participant,
    ParticipantUnknown,
)

_IN_CUSTODY = [CustodyState.HELD.value, CustodyState.ABSENT.value, CustodyState.MISSING.value]


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
        """Return the people behind these source references, merged records included.

        Unscoped: a snapshot can name people whom another facility holds.
        """
        wanted = {"$in": sorted(refs)}
        people = await self.find(
            {"$or": [{"source_ref": wanted}, {"other_refs": wanted}]}, scoped=False
        )
        return {person.source_ref: person for person in people}

    async def find_elsewhere(
        self, refs: Collection[str], facility_id: str
    ) -> dict[str, Participant]:
        """Return the people behind these references whom the facility does not hold. Unscoped.

        Merged records are included: their survivor can be anywhere.
        """
        merged = {"state": CustodyState.MERGED.value}
        people = await self.find(
            {
                "source_ref": {"$in": sorted(refs)},
                "$or": [{"facility_id": {"$ne": facility_id}}, merged],
            },
            scoped=False,
        )
        return {person.source_ref: person for person in people}

    async def list_by_facility(self, facility_id: str) -> list[Participant]:
        """Return everybody whose current or last stay is in the facility."""
        return await self.find({"facility_id": facility_id})

    async def list_in_custody(self, facility_id: str) -> list[Participant]:
        """Return everybody with an open stay in the facility."""
        return await self.find({"facility_id": facility_id, "state": {"$in": _IN_CUSTODY}})

    async def list_page(
        self,
        facility_id: str | None,
        state: CustodyState | None,
        source_ref: str | None,
        cursor: str | None,
        limit: int,
    ) -> Page[Participant]:
        """Return a page of the people in the caller's scope, by source reference."""
        where: dict[str, object] = {}
        if facility_id:
            where["facility_id"] = facility_id
        if state is not None:
            where["state"] = state.value
        if source_ref:
            where["source_ref"] = source_ref
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
        """Return a page of a snapshot's movements.

        Unscoped: a caller who may read the snapshot may read all of them, also those that end a
        stay in another facility.
        """
        where: dict[str, object] = {"snapshot_id": snapshot_id}
        if kind is not None:
            where["kind"] = kind.value
        return await self.page(where, cursor=cursor, limit=limit, scoped=False)
