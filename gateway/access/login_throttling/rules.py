"""Rules of guessing: after five failures a wait, which doubles up to a quarter of an hour.

Nothing locks permanently. A familiar PC is counted apart, so that a stranger's guesses keep nobody
out of their own PC. Not here: storage.
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
    """No attempts so far."""


class TooManyAttempts(Busy):
    """Wait before the next guess, whether or not the login exists."""

    status = 429
    title = "Terlalu banyak percobaan; tunggu sebentar lalu coba lagi"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginAttempts:
    """Consecutive failures of one counter; the next try is accepted from `next_at` on."""

    id: str
    version: int = 0
    failures: int
    next_at: datetime
    kept_until: datetime


def count_attempt(stored: LoginAttempts | None, *, id: str, now: datetime) -> LoginAttempts:
    """Count a try as a failure until it succeeds. Raises TooManyAttempts before its time."""
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
