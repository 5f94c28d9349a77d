"""What is allowed: how often a secret may be guessed. After five failures there is a wait, which doubles up to a quarter of an hour: it never locks for ever.

Whoever comes from a place where they have signed in before is counted apart, so that a stranger's guesses keep nobody out of their own PC.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chassis.errors import Busy, NotFound

FREE_ATTEMPTS = 5
FIRST_WAIT = timedelta(seconds=5)
MAX_WAIT = timedelta(minutes=15)
RETENTION = timedelta(hours=24)


class AttemptsUnknown(NotFound):
    """Nobody has guessed here."""


class TooManyAttempts(Busy):
    """Wait before the next guess, whether or not there is anything to guess."""

    status = 429
    title = "Terlalu banyak percobaan; tunggu sebentar lalu coba lagi"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginAttempts:
    """Failures in a row at one door; the next try is taken from `next_at` on."""

    id: str
    version: int = 0
    failures: int
    next_at: datetime
    kept_until: datetime


def count_attempt(stored: LoginAttempts | None, *, id: str, now: datetime) -> LoginAttempts:
    """One more try, held to be a failure until it succeeds; TooManyAttempts before its time."""
    if stored is None or stored.kept_until <= now:
        stored = LoginAttempts(
            id=id,
            version=0 if stored is None else stored.version,
            failures=0,
            next_at=now,
            kept_until=now,
        )
    if now < stored.next_at:
        raise TooManyAttempts(retry_after=math.ceil((stored.next_at - now).total_seconds()))
    failures = stored.failures + 1
    wait = (
        timedelta()
        if failures < FREE_ATTEMPTS
        else min(FIRST_WAIT * 2 ** min(failures - FREE_ATTEMPTS, 20), MAX_WAIT)
    )
    return replace(stored, failures=failures, next_at=now + wait, kept_until=now + RETENTION)
