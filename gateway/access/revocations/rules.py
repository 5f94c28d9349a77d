"""Rules of revocations: of a token, a session or a subject. Not here: caches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from chassis.errors import NotFound

RETENTION = timedelta(days=2)  # longer than the lifetime of any token that we accept


class RevocationUnknown(NotFound):
    """No such revocation."""


class RevocationKind(StrEnum):
    """What is revoked."""

    TOKEN = "token"  # noqa: S105 - a kind, no secret
    SUBJECT = "subject"
    SESSION = "session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """The end of trust in `target`: a token, a session or a subject.

    For a subject, tokens issued up to `at` are revoked.
    """

    id: str
    version: int = 0
    kind: RevocationKind
    target: str
    at: datetime
    kept_until: datetime


def revoke(kind: RevocationKind, target: str, now: datetime) -> Revocation:
    """Return a revocation that begins now."""
    return Revocation(
        id=f"{kind}/{target}", kind=kind, target=target, at=now, kept_until=now + RETENTION
    )
