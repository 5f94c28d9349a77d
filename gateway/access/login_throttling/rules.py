"""What is allowed: how often a secret may be guessed. After five failures there is a wait, which doubles up to a quarter of an hour: it never locks for ever.

Whoever comes from a place where they have signed in before is counted apart, so that a stranger's guesses keep nobody out of their own PC.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chassis.errors import Busy, NotFound

FREE = 5
FIRST = timedelta(seconds=5)
LONGEST = timedelta(minutes=15)
FORGOTTEN = timedelta(hours=24)


class AttemptsUnknown(NotFound):
    """Nobody has guessed here."""


class TooManyAttempts(Busy):
    """Wait before the next guess, whether or not there is anything to guess."""

    status = 429
    title = "Terlalu banyak percobaan; tunggu sebentar lalu coba lagi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Failures in a row at one door; the next try is taken from `next_at` on."""

    id: str
    version: int = 0
    failures: int
    next_at: datetime
    kept_until: datetime


def counted(known: Attempts | None, *, id: str, now: datetime) -> Attempts:
    """One more try, held to be a failure until it succeeds; TooManyAttempts before its time."""
    if known is None or known.kept_until <= now:
        known = Attempts(
            id=id,
            version=0 if known is None else known.version,
            failures=0,
            next_at=now,
            kept_until=now,
        )
    if now < known.next_at:
        raise TooManyAttempts(retry_after=math.ceil((known.next_at - now).total_seconds()))
    failures = known.failures + 1
    wait = timedelta() if failures < FREE else min(FIRST * 2 ** min(failures - FREE, 20), LONGEST)
    return replace(known, failures=failures, next_at=now + wait, kept_until=now + FORGOTTEN)
