"""Rules of the time at which a list's data was taken, and of its correction by two persons.

Not here: the other rules of snapshots (rules).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from chassis.caller import Actor
from chassis.errors import Conflict, Refused
from services.training.settings import TEXTS

MAX_AHEAD = timedelta(minutes=10)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


class TakenAtInFuture(Refused):
    """The stated time of the data is more than ten minutes ahead of ours."""

    title = TEXTS["errors.taken_at_in_future"]
    field = "taken_at"


class TakenAtTooOld(Refused):
    title = TEXTS["errors.taken_at_too_old"]
    field = "taken_at"


class TakenAtUnchanged(Refused):
    title = TEXTS["errors.taken_at_unchanged"]
    field = "taken_at"


class NoCorrectionProposed(Conflict):
    title = TEXTS["errors.no_correction_proposed"]


class SamePersonCorrects(Refused):
    title = TEXTS["errors.same_person_corrects"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenAtCorrection:
    """The true time of an accepted list: proposed, and in force once it is approved."""

    taken_at: datetime
    stated: datetime
    reason: str
    proposed_by: str
    proposed_for: str = ""
    approved_by: str = ""


def require_possible(taken_at: datetime, now: datetime) -> None:
    """Raise TakenAtInFuture or TakenAtTooOld for a time at which no list was taken."""
    if taken_at < EARLIEST:
        raise TakenAtTooOld
    if taken_at > now + MAX_AHEAD:
        raise TakenAtInFuture(now=now.isoformat(timespec="seconds"))


def propose(
    stated: datetime, received_at: datetime, taken_at: datetime, by: Actor, reason: str
) -> TakenAtCorrection:
    """Return a proposed correction.

    Raises TakenAtInFuture when the data would be taken after the list was received, TakenAtTooOld,
    TakenAtUnchanged.
    """
    require_possible(taken_at, received_at)
    if taken_at == stated:
        raise TakenAtUnchanged
    return TakenAtCorrection(
        taken_at=taken_at,
        stated=stated,
        reason=reason,
        proposed_by=by.by,
        proposed_for=by.on_behalf_of,
    )


def approve(correction: TakenAtCorrection | None, by: Actor) -> TakenAtCorrection:
    """Return the correction in force. Raises NoCorrectionProposed, SamePersonCorrects."""
    if correction is None or correction.approved_by:
        raise NoCorrectionProposed
    if by.conflicts_with(Actor(correction.proposed_by, correction.proposed_for)):
        raise SamePersonCorrects
    return replace(correction, approved_by=by.by)
