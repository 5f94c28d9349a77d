"""How sessions are asked for."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from services.training.sessions import usecases
from services.training.sessions.rules import Session, SessionState
from services.training.transaction import Run

router = APIRouter(tags=["Sesi dan presensi"])


class NewSession(BaseModel):
    """A meeting at a clock time of the facility."""

    model_config = dependencies.STRICT
    held_on: date
    starts_at: Annotated[
        str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="Jam setempat, mis. 08:00")
    ]
    minutes: Annotated[int, Field(ge=15, le=720, strict=True)]


class Cancellation(BaseModel):
    """Why the session does not take place."""

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
        """The body of a session."""
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


@router.post("/v1/classes/{class_id}/sessions", status_code=201, summary="Jadwalkan sesi kelas")
async def plan_session(
    class_id: str, body: NewSession, run: Run, response: Response
) -> SessionBody:
    """Everybody enrolled is expected."""
    session = await run(
        partial(usecases.plan_session, class_id, body.held_on, body.starts_at, body.minutes)
    )
    dependencies.set_etag(response, session)
    return SessionBody.of(session)


@router.get("/v1/classes/{class_id}/sessions", summary="Daftar sesi kelas")
async def list_sessions(
    class_id: str, run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[SessionBody]:
    """The sessions of a class in order."""
    page = await run(partial(usecases.sessions, class_id, cursor, limit))
    return paging.PageBody(
        items=[SessionBody.of(session) for session in page.items], next_cursor=page.next_cursor
    )


@router.get("/v1/sessions/{session_id}", summary="Lihat sesi")
async def show_session(session_id: str, run: Run, response: Response) -> SessionBody:
    """One session."""
    session = await run(partial(usecases.session, session_id))
    dependencies.set_etag(response, session)
    return SessionBody.of(session)


@router.post("/v1/sessions/{session_id}/cancellation", summary="Batalkan sesi")
async def cancel_session(
    session_id: str, body: Cancellation, version: dependencies.IfMatch, run: Run, response: Response
) -> SessionBody:
    """A cancelled session stays cancelled and counts for nobody."""
    session = await run(partial(usecases.cancel_session, session_id, body.reason, version))
    dependencies.set_etag(response, session)
    return SessionBody.of(session)
