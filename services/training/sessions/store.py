"""The store of sessions."""

from __future__ import annotations

from datetime import datetime

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.training.sessions.rules import Session, SessionState, SessionUnknown


class Sessions(Store[Session]):
    kind = Session
    collection = "sessions"
    unknown = SessionUnknown
    scope = {"facility": "facility_id"}
    indexes = (Index("class_id", "starts_at"),)

    async def list_by_class(self, class_id: str) -> list[Session]:
        """Return all sessions of a class in order. Unscoped: they follow the class."""
        return await self.find({"class_id": class_id}, sort=[("starts_at", 1)], scoped=False)

    async def list_upcoming(self, class_id: str, now: datetime) -> list[Session]:
        """Return the planned sessions that have not begun. Unscoped: they follow the class."""
        return await self.find(
            {"class_id": class_id, "state": SessionState.PLANNED.value, "starts_at": {"$gt": now}},
            sort=[("starts_at", 1)],
            scoped=False,
        )

    async def list_page(self, class_id: str, cursor: str | None, limit: int) -> Page[Session]:
        """Return a page of the sessions of a class, in order."""
        return await self.page(
            {"class_id": class_id}, sort=("starts_at", 1), cursor=cursor, limit=limit
        )
