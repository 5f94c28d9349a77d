"""How classes and their seats are kept."""

from __future__ import annotations

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.training.classes.rules import ClassSeats, ClassState, ClassUnknown, TrainingClass


class Classes(Store[TrainingClass]):
    kind = TrainingClass
    collection = "classes"
    unknown = ClassUnknown
    scope = {"facility": "facility_id"}
    indexes = (Index("facility_id", ("starts_on", -1)), Index("programme_id"))

    async def list_page(
        self, facility_id: str | None, state: ClassState | None, cursor: str | None, limit: int
    ) -> Page[TrainingClass]:
        """The caller's classes, the latest start first."""
        where = {
            name: value
            for name, value in (("facility_id", facility_id), ("state", state and state.value))
            if value
        }
        return await self.page(where, sort=("starts_on", -1), cursor=cursor, limit=limit)


class Seats(Store[ClassSeats]):
    kind = ClassSeats
    collection = "class_seats"
    unknown = ClassUnknown
    scope = {"facility": "facility_id"}
