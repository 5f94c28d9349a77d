"""The store of sessions, each kept for ninety days. Not here: rules."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from chassis.persistence.store import Index, Store
from gateway.access.sessions.rules import Session, SessionUnknown


class Sessions(Store[Session]):
    """Sessions by user; the administrators of the user's home see them."""

    kind = Session
    collection = "sessions"
    unknown = SessionUnknown
    scope: ClassVar[Mapping[str, str]] = {"facility": "home"}
    indexes = (Index("user_id", "started_at"), Index("kept_until", expire_seconds=0))
    secret = frozenset({"refresh", "spent", "repeat"})

    async def find_active(self, user_id: str, now: datetime) -> list[Session]:
        """Return the active sessions of a user, whatever the caller's scope."""
        found = await self.find(
            {"user_id": user_id, "ended_at": None, "expires_at": {"$gt": now}},
            sort=[("started_at", 1)],
            scoped=False,
        )
        return [session for session in found if session.is_active(now)]
