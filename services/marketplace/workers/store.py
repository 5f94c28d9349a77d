"""How workers and their assignments are kept."""

from __future__ import annotations

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
        """All places that a participant has or had, at whatever facility: a rule of one must see those of all."""
        return await self.find({"participant_ref": participant_ref}, scoped=False)

    async def list_page(
        self, workshop_id: str | None, cursor: str | None, limit: int
    ) -> Page[Assignment]:
        """The assignments that the caller sees, of one workshop or all."""
        return await self.page(
            {"workshop_id": workshop_id} if workshop_id else {}, cursor=cursor, limit=limit
        )
