"""How applications are kept."""

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
        """What may still lead to a seat. Unscoped: it follows the person."""
        return await self.find(
            {"participant_ref": participant_ref, "live": True},
            sort=[("submitted_at", 1), ("_id", 1)],
            scoped=False,
        )

    async def list_by_participant(self, participant_ref: str) -> list[Application]:
        """Every wish of a person. Unscoped: it follows the person."""
        return await self.find(
            {"participant_ref": participant_ref},
            sort=[("submitted_at", 1), ("_id", 1)],
            scoped=False,
        )

    async def list_by_participant_and_class(
        self, participant_ref: str, class_id: str
    ) -> list[Application]:
        """Every wish of a person for one class, oldest first."""
        return await self.find(
            {"participant_ref": participant_ref, "class_id": class_id},
            sort=[("submitted_at", 1), ("_id", 1)],
        )

    async def list_live_by_class(self, class_id: str) -> list[Application]:
        """What may still lead to a seat in a class. Unscoped: it follows the class."""
        return await self.find({"class_id": class_id, "live": True}, scoped=False)

    async def list_waiting_since(self) -> list[datetime]:
        """When each wish that may still lead to a seat was handed in. Unscoped, and of nobody, for figures."""
        where = {
            "participant_ref": {"$gt": ""},
            "live": True,
        }  # the first half finds the partial index
        return [
            row["submitted_at"]
            for row in await self.tx.db.find(
                self.collection, where, fields={"submitted_at": 1}, session=self.tx.session
            )
        ]

    async def list_page(
        self,
        class_id: str | None,
        participant_ref: str | None,
        state: ApplicationState | None,
        cursor: str | None,
        limit: int,
    ) -> Page[Application]:
        """The caller's applications, oldest first."""
        where = {
            name: value
            for name, value in (
                ("class_id", class_id),
                ("participant_ref", participant_ref),
                ("state", state and state.value),
            )
            if value
        }
        return await self.page(where, sort=("submitted_at", 1), cursor=cursor, limit=limit)


class Submissions(Store[Submission]):
    kind = Submission
    collection = "submissions"
    person = "participant_ref"
    unknown = ApplicationUnknown
    scope = {"facility": "facility_id"}
    indexes = (Index("participant_ref"),)
