"""Rules of login throttling: from the fifth failure a wait, which doubles up to 15 minutes.

No login is locked permanently. A familiar PC has its own counter, so that attempts elsewhere do not
delay the user there. Not here: storage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chassis.errors import Busy, NotFound
from gateway.texts import TEXTS

FREE_ATTEMPTS = 5
FIRST_WAIT = timedelta(seconds=5)
MAX_WAIT = timedelta(minutes=15)
MAX_DOUBLINGS = 20  # keeps FIRST_WAIT * 2**doublings within the range of timedelta
RETENTION = timedelta(hours=24)


class AttemptsUnknown(NotFound):
    """No attempts so far."""


class TooManyAttempts(Busy):
    """The next attempt comes too early; the response is the same for unknown logins."""

    status = 429
    title = TEXTS["errors.too_many_attempts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginAttempts:
    """Consecutive failures of one counter; the next attempt is accepted from `next_at` on."""

    id: str
    version: int = 0
    failures: int
    next_at: datetime
    kept_until: datetime


def count_attempt(stored: LoginAttempts | None, *, id: str, now: datetime) -> LoginAttempts:
    """Count an attempt as a failure until it succeeds. Raises TooManyAttempts before `next_at`."""
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
    wait = _wait_after(failures)
    return replace(stored, failures=failures, next_at=now + wait, kept_until=now + RETENTION)


def _wait_after(failures: int) -> timedelta:
    if failures < FREE_ATTEMPTS:
        return timedelta()
    doublings = min(failures - FREE_ATTEMPTS, MAX_DOUBLINGS)
    return min(FIRST_WAIT * 2**doublings, MAX_WAIT)
