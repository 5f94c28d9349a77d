"""The stored workers and their assignments.

Not here: rules.
"""

from __future__ import annotations

from collections.abc import Collection

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.marketplace.workers.rules import Assignment, AssignmentUnknown, Worker, WorkerUnknown


class Workers(Store[Worker]):
    kind = Worker
    collection = "workers"
    unknown = WorkerUnknown
    scope = {"facility": "facility_id"}


class Assignments(Store[Assignment]):
    kind = Assignment
    collection = "work_assignments"
    person = "participant_ref"
    unknown = AssignmentUnknown
    scope = {"facility": "facility_id"}
    indexes = (
        Index("workshop_id", "participant_ref", unique=True, where={"live": True}),
        Index("participant_ref"),
        Index("facility_id"),
    )

    async def list_by_participant(self, participant_ref: str) -> list[Assignment]:
        """Return all assignments of a participant, past and present.

        Unscoped: the rule needs the assignments at every facility.
        """
        return await self.find({"participant_ref": participant_ref}, scoped=False)

    async def list_by_participants(self, refs: Collection[str]) -> dict[str, list[Assignment]]:
        """Return all assignments of each of these participants, as list_by_participant does."""
        by_participant: dict[str, list[Assignment]] = {ref: [] for ref in refs}
        where = {"participant_ref": {"$in": sorted(refs)}}
        for assignment in await self.find(where, scoped=False):
            by_participant[assignment.participant_ref].append(assignment)
        return by_participant

    async def list_page(
        self, workshop_id: str | None, cursor: str | None, limit: int
    ) -> Page[Assignment]:
        """Return one page of the assignments in the caller's scope, of one workshop or all."""
        where = {"workshop_id": workshop_id} if workshop_id else {}
        return await self.page(where, cursor=cursor, limit=limit)
