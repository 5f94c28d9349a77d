"""Rules of the time at which a list's data was taken, and of its correction by two persons.

Not here: the other rules of snapshots (rules).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from chassis.caller import Actor
from chassis.errors import Conflict, Refused

MAX_AHEAD = timedelta(minutes=10)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


class TakenAtInFuture(Refused):
    """The stated time of the data is more than ten minutes ahead of ours."""

    title = "Waktu pengambilan data tidak boleh di masa depan; periksa tanggal, jam dan zona waktu"
    field = "taken_at"


class TakenAtTooOld(Refused):
    title = "Waktu pengambilan data tidak mungkin selama itu; periksa tahunnya"
    field = "taken_at"


class TakenAtUnchanged(Refused):
    title = "Waktu pengambilan data ini sudah tercatat demikian"
    field = "taken_at"


class NoCorrectionProposed(Conflict):
    title = "Tidak ada pembetulan waktu yang menunggu persetujuan"


class SamePersonCorrects(Refused):
    title = "Pembetulan waktu harus disetujui oleh orang lain, bukan oleh pengusulnya"


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
