"""The stores of classes and of their seats."""

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
    schema = 2

    async def list_page(
        self, facility_id: str | None, state: ClassState | None, cursor: str | None, limit: int
    ) -> Page[TrainingClass]:
        """Return a page of the classes in the caller's scope, the latest start first."""
        where: dict[str, object] = {}
        if facility_id:
            where["facility_id"] = facility_id
        if state is not None:
            where["state"] = state.value
        return await self.page(where, sort=("starts_on", -1), cursor=cursor, limit=limit)


class Seats(Store[ClassSeats]):
    kind = ClassSeats
    collection = "class_seats"
    unknown = ClassUnknown
    scope = {"facility": "facility_id"}
