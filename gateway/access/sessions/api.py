"""Routes of sessions, for their owners and for administrators. Not here: rules."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from fastapi import APIRouter
from pydantic import BaseModel

from gateway.access.sessions import usecases
from gateway.access.sessions.rules import Session
from gateway.access.transaction import Run

router = APIRouter()


class SessionBody(BaseModel):
    """An active session; `amr` names its factors (RFC 8176)."""

    session_id: str
    amr: tuple[str, ...]
    started_at: datetime
    used_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, session: Session) -> SessionBody:
        return cls(
            session_id=session.id,
            amr=session.amr,
            started_at=session.started_at,
            used_at=session.used_at,
            expires_at=session.expires_at,
        )


class SessionsBody(BaseModel):
    """All sessions, without paging because a user has few."""

    items: list[SessionBody]


@router.get("/v1/me/sessions")
async def own_sessions(run: Run) -> SessionsBody:
    """List the caller's sessions."""
    return SessionsBody(
        items=[SessionBody.of(session) for session in await run(usecases.list_own_sessions)]
    )


@router.post("/v1/me/sessions/{session_id}/end", status_code=204)
async def end_own_session(session_id: str, run: Run) -> None:
    """End one of the caller's sessions."""
    await run(partial(usecases.end_own_session, session_id))


@router.post("/v1/me/sign-out", status_code=204)
async def end_own_sessions(run: Run) -> None:
    """End all sessions of the caller; in force within seconds, also for streams."""
    await run(usecases.end_own_sessions)


@router.get("/v1/access/users/{user_id}/sessions")
async def sessions_of(user_id: str, run: Run) -> SessionsBody:
    """List a user's sessions."""
    return SessionsBody(
        items=[
            SessionBody.of(session)
            for session in await run(partial(usecases.list_sessions, user_id))
        ]
    )


@router.post("/v1/access/users/{user_id}/sign-out", status_code=204)
async def sign_out_user(user_id: str, run: Run) -> None:
    """End all sessions of a user, of any issuer; in force within seconds, also for streams."""
    await run(partial(usecases.sign_out_user, user_id))
