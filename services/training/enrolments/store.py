"""The store of enrolments."""

from __future__ import annotations

from datetime import date

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.training.enrolments.rules import Enrolment, EnrolmentUnknown


class Enrolments(Store[Enrolment]):
    kind = Enrolment
    collection = "enrolments"
    person = "participant_ref"
    unknown = EnrolmentUnknown
    scope = {"facility": "facility_id"}
    indexes = (
        Index("participant_ref", "class_id", unique=True, where={"live": True}),
        Index("participant_ref"),
        Index("class_id", "live"),
        Index("changes_on", where={"live": True}),
    )
    schema = 2

    async def list_by_participant(self, participant_ref: str) -> list[Enrolment]:
        """Return a person's enrolments, oldest first. Unscoped: they follow the person."""
        return await self.find(
            {"participant_ref": participant_ref},
            sort=[("enrolled_at", 1), ("_id", 1)],
            scoped=False,
        )

    async def list_live_by_participant(self, participant_ref: str) -> list[Enrolment]:
        """Return a person's enrolments with a seat. Unscoped: they follow the person."""
        return await self.find(
            {"participant_ref": participant_ref, "live": True},
            sort=[("enrolled_at", 1), ("_id", 1)],
            scoped=False,
        )

    async def list_live_by_class(self, class_id: str) -> list[Enrolment]:
        """Return the enrolments with a seat in a class. Unscoped: they follow the class."""
        return await self.find(
            {"class_id": class_id, "live": True}, sort=[("_id", 1)], scoped=False
        )

    async def list_suspensions_due(self, day: date, limit: int) -> list[Enrolment]:
        """Return live enrolments whose planned suspension begins or is over by that day."""
        where = {"live": True, "changes_on": {"$gt": "", "$lte": day.isoformat()}}
        return await self.find(where, sort=[("changes_on", 1)], limit=limit, scoped=False)

    async def list_page(
        self,
        class_id: str | None,
        participant_ref: str | None,
        cursor: str | None,
        limit: int,
        *,
        live: bool | None,
    ) -> Page[Enrolment]:
        """Return a page of the enrolments in the caller's scope, oldest first."""
        where: dict[str, object] = {}
        if class_id is not None:
            where["class_id"] = class_id
        if participant_ref is not None:
            where["participant_ref"] = participant_ref
        if live is not None:
            where["live"] = live
        return await self.page(where, sort=("enrolled_at", 1), cursor=cursor, limit=limit)
