"""Rules of custody: what the movements of training mean for work.

Not here: what a candidate is besides (rules).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import Refused
from services.manpower.agencies.local_days import zone_of
from services.manpower.candidates.skills import SourceOrder
from services.manpower.settings import TEXTS
from services.manpower.visibility.rules import Visibility


class CustodyRefused(Refused):
    """The day is still to come, or the release kind means another custody."""

    title = TEXTS["errors.custody_refused"]
    field = "custody"


class Custody(StrEnum):
    """The custody of a person, as far as it matters for work."""

    INSIDE = "inside"
    RELEASED = "released"
    ENDED = "ended"


RELEASE_KINDS: dict[str, Custody] = {
    "free": Custody.RELEASED,
    "conditional_release": Custody.RELEASED,
    "conditional_leave": Custody.RELEASED,
    "leave_before_release": Custody.RELEASED,
    "release_by_law": Custody.RELEASED,
    "acquittal": Custody.RELEASED,
    "detention_suspended": Custody.RELEASED,
    "clemency": Custody.RELEASED,
    "remission_release": Custody.RELEASED,
    "death": Custody.ENDED,
    "escape": Custody.ENDED,
    "deportation": Custody.ENDED,
}
"""The release kinds of training; any other kind is an officer's question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """A movement as training reports it.

    `admitted_at` is when an admission was published; it is None for any other movement.
    """

    candidate_id: str
    facility_id: str
    custody: Custody
    kind: str
    effective_on: date
    source_order: SourceOrder
    admitted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """The result of the last movement."""

    custody: Custody
    kind: str
    effective_on: date
    told: SourceOrder


def correct_custody(
    candidate_id: str,
    visibility: Visibility,
    custody: Custody,
    kind: str,
    effective_on: date,
    now: datetime,
) -> Movement:
    """Return the movement by which an officer corrects the custody of a candidate.

    A later movement that training reports counts again. Raises CustodyRefused for a day to come,
    or a release kind that means another custody.
    """
    today = now.astimezone(zone_of(visibility.regency_code)).date()
    if effective_on > today or RELEASE_KINDS.get(kind, custody) is not custody:
        raise CustodyRefused
    return Movement(
        candidate_id=candidate_id,
        facility_id=visibility.facility_id,
        custody=custody,
        kind=kind,
        effective_on=effective_on,
        source_order=SourceOrder(at=now, sequence=0),
        admitted_at=now if custody is Custody.INSIDE else None,
    )
