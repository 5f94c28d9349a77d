"""Rules of work months: all units of one participant in one workshop in one month.

Not here: the work logs that they sum (rules).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.marketplace.batches.rules import WorkLog
from services.marketplace.events import WorkLogged
from services.marketplace.workshops.rules import Workshop
from services.marketplace.zones import month_of


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkMonth:
    """All work units of one participant in one workshop in one month; its id names the three."""

    id: str
    participant_ref: str
    workshop_id: str
    facility_id: str
    month: str
    unit_kind: str
    units: int = 0
    version: int = 0


def month_id(participant_ref: str, workshop_id: str, month: str) -> str:
    """Return the id of a WorkMonth."""
    return f"{participant_ref}/{workshop_id}/{month}"


def create_month(log: WorkLog, workshop: Workshop) -> WorkMonth:
    """Return the month of a log, without units."""
    month = month_of(log.worked_on)
    return WorkMonth(
        id=month_id(log.participant_ref, log.workshop_id, month),
        participant_ref=log.participant_ref,
        workshop_id=log.workshop_id,
        facility_id=log.facility_id,
        month=month,
        unit_kind=workshop.unit_kind,
    )


def create_month_of_survivor(month: WorkMonth, participant_ref: str) -> WorkMonth:
    """Return the same month of the surviving participant, without units."""
    return replace(
        month,
        id=month_id(participant_ref, month.workshop_id, month.month),
        participant_ref=participant_ref,
        units=0,
        version=0,
    )


def add_units(month: WorkMonth, units: int) -> tuple[WorkMonth, list[WorkLogged]]:
    """Add units to the month (negative after a correction) and publish its sum."""
    after = replace(month, units=month.units + units)
    event = WorkLogged(
        participant_ref=after.participant_ref,
        workshop_id=after.workshop_id,
        month=after.month,
        unit_kind=after.unit_kind,
        units_total=after.units,
    )
    return after, [event]
