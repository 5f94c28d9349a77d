"""How enrolments are kept."""

from __future__ import annotations

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
    )

    async def list_by_participant(self, participant_ref: str) -> list[Enrolment]:
        """Every enrolment of a person, oldest first. Unscoped: it follows the person."""
        return await self.find(
            {"participant_ref": participant_ref},
            sort=[("enrolled_at", 1), ("_id", 1)],
            scoped=False,
        )

    async def list_live_by_participant(self, participant_ref: str) -> list[Enrolment]:
        """The enrolments of a person that hold a seat. Unscoped: they follow the person."""
        return await self.find(
            {"participant_ref": participant_ref, "live": True},
            sort=[("enrolled_at", 1), ("_id", 1)],
            scoped=False,
        )

    async def list_live_by_class(self, class_id: str) -> list[Enrolment]:
        """The enrolments that hold a seat in a class. Unscoped: they follow the class."""
        return await self.find(
            {"class_id": class_id, "live": True}, sort=[("_id", 1)], scoped=False
        )

    async def list_page(
        self,
        class_id: str | None,
        participant_ref: str | None,
        cursor: str | None,
        limit: int,
        *,
        live: bool | None,
    ) -> Page[Enrolment]:
        """The caller's enrolments, oldest first."""
        where = {
            name: value
            for name, value in (
                ("class_id", class_id),
                ("participant_ref", participant_ref),
                ("live", live),
            )
            if value is not None
        }
        return await self.page(where, sort=("enrolled_at", 1), cursor=cursor, limit=limit)
