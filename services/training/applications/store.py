"""The stores of applications and of the forms that made them."""

from __future__ import annotations

from datetime import datetime

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.training.applications.rules import (
    Application,
    ApplicationState,
    ApplicationUnknown,
    Submission,
)


class Applications(Store[Application]):
    kind = Application
    collection = "class_applications"
    person = "participant_ref"
    unknown = ApplicationUnknown
    scope = {"facility": "facility_id"}
    indexes = (
        Index("participant_ref", "class_id", unique=True, where={"live": True}),
        Index("participant_ref", "class_id", "submitted_at"),
        Index("class_id", "state"),
    )

    async def list_live_by_participant(self, participant_ref: str) -> list[Application]:
        """Return a person's live applications. Unscoped: they follow the person."""
        return await self.find(
            {"participant_ref": participant_ref, "live": True},
            sort=[("submitted_at", 1), ("_id", 1)],
            scoped=False,
        )

    async def list_by_participant(self, participant_ref: str) -> list[Application]:
        """Return every application of a person. Unscoped: they follow the person."""
        return await self.find(
            {"participant_ref": participant_ref},
            sort=[("submitted_at", 1), ("_id", 1)],
            scoped=False,
        )

    async def list_by_participant_and_class(
        self, participant_ref: str, class_id: str
    ) -> list[Application]:
        """Return every application of a person for one class, oldest first."""
        return await self.find(
            {"participant_ref": participant_ref, "class_id": class_id},
            sort=[("submitted_at", 1), ("_id", 1)],
        )

    async def list_live_by_class(self, class_id: str) -> list[Application]:
        """Return the live applications for a class. Unscoped: they follow the class."""
        return await self.find({"class_id": class_id, "live": True}, scoped=False)

    async def list_waiting_since(self) -> list[datetime]:
        """Return when each live application was handed in, for metrics. Unscoped."""
        # the condition on participant_ref makes MongoDB use the partial index
        where = {"participant_ref": {"$gt": ""}, "live": True}
        rows = await self.tx.db.find(
            self.collection, where, fields={"submitted_at": 1}, session=self.tx.session
        )
        return [row["submitted_at"] for row in rows]

    async def list_page(
        self,
        class_id: str | None,
        participant_ref: str | None,
        state: ApplicationState | None,
        cursor: str | None,
        limit: int,
    ) -> Page[Application]:
        """Return a page of the applications in the caller's scope, oldest first."""
        where: dict[str, object] = {}
        if class_id:
            where["class_id"] = class_id
        if participant_ref:
            where["participant_ref"] = participant_ref
        if state is not None:
            where["state"] = state.value
        return await self.page(where, sort=("submitted_at", 1), cursor=cursor, limit=limit)


class Submissions(Store[Submission]):
    kind = Submission
    collection = "submissions"
    person = "participant_ref"
    unknown = ApplicationUnknown
    scope = {"facility": "facility_id"}
    indexes = (Index("participant_ref"),)
