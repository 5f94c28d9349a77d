"""Rules of facilities, their time zones and their settings. Not here: who is held in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from chassis.errors import Conflict, NotFound, Refused
from services.training.settings import TEXTS

_CODE = re.compile(r"[A-Z0-9]+(-[A-Z0-9]+)*")


class FacilityUnknown(NotFound):
    title = TEXTS["errors.facility_unknown"]


class FacilityExists(Conflict):
    title = TEXTS["errors.facility_exists"]
    field = "facility_id"


class CodeMalformed(Refused):
    title = TEXTS["errors.code_malformed"]
    field = "facility_id"


class TimeZoneUnknown(Refused):
    title = TEXTS["errors.time_zone_unknown"]
    field = "time_zone"


class FacilityKind(StrEnum):
    """The kinds of UPT Pemasyarakatan."""

    LAPAS = "lapas"
    LPP = "lpp"
    LPKA = "lpka"
    RUTAN = "rutan"
    BAPAS = "bapas"


class RosterMode(StrEnum):
    """What a file of the facility lists: everybody, some people, or what an officer typed.

    Only a full list can show that a person is missing.
    """

    FULL = "full"
    PARTIAL = "partial"
    MANUAL = "manual"


class TransferPolicy(StrEnum):
    """What a transfer does to enrolments in the facility that the person leaves."""

    END = "END"
    SUSPEND = "SUSPEND"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facility:
    """A facility of custody; its id is its code.

    Days are days of its local calendar; percentages are whole numbers.
    """

    id: str
    version: int = 0
    name: str
    kind: FacilityKind
    time_zone: str
    regencies: frozenset[str] = frozenset()
    labour_office_ids: frozenset[str] = frozenset()
    live_from: date | None = None
    mapping: str = ""
    roster_mode: RosterMode = RosterMode.FULL
    transfer_policy: TransferPolicy = TransferPolicy.END
    edit_window_days: int = 7
    row_guard_percent: int = 10
    head_approval_required: bool = True

    def local_date(self, now: datetime) -> date:
        """Return the facility's local date at a moment."""
        return now.astimezone(ZoneInfo(self.time_zone)).date()

    def local_moment(self, day: date, clock: str) -> datetime:
        """Return the moment of a local clock time (`08:00`) on a day."""
        hour, minute = clock.split(":")
        zone = ZoneInfo(self.time_zone)
        return datetime(day.year, day.month, day.day, int(hour), int(minute), tzinfo=zone)


def open_facility(facility: Facility, existing: Facility | None) -> Facility:
    """Return the facility to add.

    Raises FacilityExists when its code is taken, CodeMalformed, TimeZoneUnknown.
    """
    if existing is not None:
        raise FacilityExists
    return check_facility(facility)


def check_facility(facility: Facility) -> Facility:
    """Return the facility unchanged. Raises CodeMalformed, TimeZoneUnknown."""
    if not _CODE.fullmatch(facility.id):
        raise CodeMalformed
    try:
        ZoneInfo(facility.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise TimeZoneUnknown from None
    return facility
