"""Use cases of sessions: read and list. Not here: planning and cancelling (attendance)."""

from __future__ import annotations

from chassis.persistence.store import Page
from services.training.sessions.rules import Session
from services.training.transaction import Transaction


async def read_session(session_id: str, tx: Transaction) -> Session:
    """Return one session in the caller's scope."""
    return await tx.sessions.get(session_id)


async def list_sessions(
    class_id: str, cursor: str | None, limit: int, tx: Transaction
) -> Page[Session]:
    """Return a page of the sessions of a class in the caller's scope."""
    await tx.classes.get(class_id)
    return await tx.sessions.list_page(class_id, cursor, limit)
