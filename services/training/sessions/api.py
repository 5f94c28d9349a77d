"""Routes that show sessions, and the bodies of sessions.

Not here: planning and cancelling, which also change attendance (attendance).
"""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.moments import Day
from services.training.sessions import usecases
from services.training.sessions.rules import Session, SessionState
from services.training.transaction import Run

router = APIRouter(tags=["Sesi dan presensi"])


class NewSession(BaseModel):
    """A meeting at a local clock time of the facility."""

    model_config = dependencies.STRICT
    held_on: Day
    starts_at: Annotated[
        str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="Jam setempat, mis. 08:00")
    ]
    minutes: Annotated[int, Field(ge=15, le=720, strict=True)]


class Cancellation(BaseModel):
    """Why the session is cancelled."""

    model_config = dependencies.STRICT
    reason: Annotated[str, Field(min_length=3, max_length=500)]


class SessionBody(BaseModel):
    """One meeting of a class."""

    session_id: str
    version: int
    class_id: str
    facility_id: str
    held_on: date
    starts_at: datetime
    minutes: int
    state: SessionState
    reason: str | None

    @classmethod
    def of(cls, session: Session) -> SessionBody:
        """Return the body of a session."""
        return cls(
            session_id=session.id,
            version=session.version,
            class_id=session.class_id,
            facility_id=session.facility_id,
            held_on=session.held_on,
            starts_at=session.starts_at,
            minutes=session.minutes,
            state=session.state,
            reason=session.reason or None,
        )


@router.get("/v1/classes/{class_id}/sessions", summary="Daftar sesi kelas")
async def list_sessions(
    class_id: str, run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[SessionBody]:
    """List the sessions of a class, in order."""
    page = await run(partial(usecases.list_sessions, class_id, cursor, limit))
    items = [SessionBody.of(session) for session in page.items]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)


@router.get("/v1/sessions/{session_id}", summary="Lihat sesi")
async def show_session(session_id: str, run: Run, response: Response) -> SessionBody:
    """Show one session."""
    session = await run(partial(usecases.read_session, session_id))
    dependencies.set_etag(response, session)
    return SessionBody.of(session)
