"""Rules of sessions: how long they last, and how a refresh token is replaced.

A refresh token that is used twice ends the session, because one of the two callers has stolen it.
Not here: tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chassis.errors import NotFound
from gateway.texts import TEXTS

LIFETIME = timedelta(hours=12)
IDLE_TIMEOUT = timedelta(hours=2)
RETENTION = timedelta(days=90)
REPEAT_WINDOW = timedelta(minutes=1)
MAX_SPENT = 500  # a page that refreshes every two minutes uses 360 in the lifetime of a session
REFRESH_TOKEN_REUSED = "refresh token used twice"  # noqa: S105 - a reason, no secret


class SessionUnknown(NotFound):
    """No such session."""

    title = TEXTS["errors.session_unknown"]


class RefreshRefused(Exception):
    """Not the refresh token of an active session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One sign-in of a user, with its factors (`amr`, RFC 8176).

    `refresh` and `spent` are hashes of refresh tokens; `repeat` is the hash of the Idempotency-Key
    of the last refresh.
    """

    id: str
    version: int = 0
    user_id: str
    home: str
    amr: tuple[str, ...]
    refresh: str
    spent: tuple[str, ...] = ()
    repeat: str = ""
    started_at: datetime
    used_at: datetime
    expires_at: datetime
    kept_until: datetime
    ended_at: datetime | None = None
    ended_why: str = ""

    def is_active(self, now: datetime) -> bool:
        """Return whether it has neither ended nor expired, nor was idle for too long."""
        return self.ended_at is None and now < min(self.expires_at, self.used_at + IDLE_TIMEOUT)


def start(
    *, id: str, user_id: str, home: str, amr: tuple[str, ...], refresh: str, now: datetime
) -> Session:
    """Return a session that begins now."""
    return Session(
        id=id,
        user_id=user_id,
        home=home,
        amr=amr,
        refresh=refresh,
        started_at=now,
        used_at=now,
        expires_at=now + LIFETIME,
        kept_until=now + RETENTION,
    )


def refresh(
    session: Session, *, presented: str, next_refresh: str, repeat: str, now: datetime
) -> Session:
    """Return the session with the next refresh token; ended if this one was used before.

    The last token with the same Idempotency-Key within REPEAT_WINDOW repeats a request whose
    response was lost: nothing changes. Raises RefreshRefused.
    """
    if not session.is_active(now):
        raise RefreshRefused
    if presented == session.refresh:
        return replace(
            session,
            refresh=next_refresh,
            spent=(*session.spent, presented)[-MAX_SPENT:],
            repeat=repeat,
            used_at=now,
        )
    if presented not in session.spent:
        raise RefreshRefused
    has_same_key = repeat != "" and repeat == session.repeat
    is_recent = now < session.used_at + REPEAT_WINDOW
    if presented == session.spent[-1] and has_same_key and is_recent:
        return session
    return end(session, REFRESH_TOKEN_REUSED, now)


def end(session: Session, reason: str, now: datetime) -> Session:
    """Return the session, ended now."""
    return replace(session, ended_at=now, ended_why=reason)
