"""Rules of attendance: who is expected in a session, the marks, and how marks change.

Minutes are whole numbers. Not here: what attendance means for completion (completion).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import TypeVar

from chassis.errors import Conflict, NotFound, Refused
from chassis.ids import named_id
from chassis.messaging.events import Event
from chassis.rosters import LineOutcome, LineReason, RosterLine
from services.training.events import AttendanceRecorded
from services.training.sessions.rules import Session
from services.training.settings import TEXTS

E = TypeVar("E")


class AttendanceUnknown(NotFound):
    title = TEXTS["errors.attendance_unknown"]


class NotInSession(Refused):
    title = TEXTS["errors.not_in_session"]
    field = "enrolment_id"


class MinutesNeeded(Refused):
    title = TEXTS["errors.minutes_needed"]
    field = "minutes"


class TextNeeded(Refused):
    title = TEXTS["errors.text_needed"]
    field = "note"


class EditWindowClosed(Conflict):
    """`days` is the number of days after the session in which the facility allows changes."""

    title = TEXTS["errors.edit_window_closed"]


class NotMarkedYet(Conflict):
    title = TEXTS["errors.not_marked_yet"]


class SetBySystem(Refused):
    title = TEXTS["errors.set_by_system"]
    field = "reason"


class AttendanceReason(StrEnum):
    """Whether and why a participant attended a session or not."""

    ATTENDED = "ATTENDED"
    ATTENDED_PART = "ATTENDED_PART"
    SICK = "SICK"
    REFUSED = "REFUSED"
    NOT_REQUIRED = "NOT_REQUIRED"
    REST = "REST"
    CLASH = "CLASH"
    COURT = "COURT"
    VISIT = "VISIT"
    APPROVED_ABSENCE = "APPROVED_ABSENCE"
    SUSPENDED = "SUSPENDED"
    AUTO_SUSPENDED = "AUTO_SUSPENDED"
    SESSION_CANCELLED = "SESSION_CANCELLED"
    OTHER = "OTHER"


class CountsAs(StrEnum):
    """How a reason counts for completion."""

    PRESENT = "present"
    EXCUSED = "excused"
    ABSENT = "absent"


COUNTS_AS: Mapping[AttendanceReason, CountsAs] = {
    **dict.fromkeys(AttendanceReason, CountsAs.EXCUSED),
    AttendanceReason.ATTENDED: CountsAs.PRESENT,
    AttendanceReason.ATTENDED_PART: CountsAs.PRESENT,
    AttendanceReason.REFUSED: CountsAs.ABSENT,
    AttendanceReason.OTHER: CountsAs.ABSENT,
}
_SYSTEM_REASONS = frozenset(
    {
        AttendanceReason.SUSPENDED,
        AttendanceReason.AUTO_SUSPENDED,
        AttendanceReason.SESSION_CANCELLED,
    }
)
_ATTENDED_REASONS = frozenset({AttendanceReason.ATTENDED, AttendanceReason.ATTENDED_PART})


class MarkState(StrEnum):
    """Whether the record waits for its mark."""

    WAITING = "WAITING"
    MARKED = "MARKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttendanceMark:
    """What an officer records of one participant in one session.

    `client_id` is the number that an offline device gave the mark.
    """

    reason: AttendanceReason
    minutes: int = 0
    note: str = ""
    client_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttendanceChange:
    """One entry of a record's history."""

    was: str
    now: str
    minutes: int
    by: str
    at: datetime
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attendance:
    """The record of one enrolment in one session; its id is made of both.

    While it waits for its mark, `reason` says whether the enrolment is suspended.
    """

    id: str
    version: int = 0
    enrolment_id: str
    session_id: str
    class_id: str
    facility_id: str
    participant_ref: str
    held_on: date
    starts_at: datetime
    state: MarkState = MarkState.WAITING
    reason: str = ""
    minutes: int = 0
    client_ids: tuple[str, ...] = ()
    history: tuple[AttendanceChange, ...] = ()


def attendance_id(enrolment_id: str, session_id: str) -> str:
    """Return the id of the record of an enrolment in a session."""
    return named_id(enrolment_id, session_id)


def expect(
    enrolment_id: str, participant_ref: str, session: Session, reason: str = ""
) -> Attendance:
    """Return a record that waits for its mark; `reason` says why nobody is expected."""
    return Attendance(
        id=attendance_id(enrolment_id, session.id),
        enrolment_id=enrolment_id,
        session_id=session.id,
        class_id=session.class_id,
        facility_id=session.facility_id,
        participant_ref=participant_ref,
        held_on=session.held_on,
        starts_at=session.starts_at,
        reason=reason,
    )


def require_known(enrolment: E | None) -> E:
    """Return the enrolment. Raises NotInSession when it is unknown."""
    if enrolment is None:
        raise NotInSession
    return enrolment


def require_in_session(
    session: Session,
    record: Attendance | None,
    *,
    class_id: str,
    starts_on: date,
    last_day: date | None,
) -> None:
    """Raise NotInSession unless an enrolment with these facts belongs to the session.

    Until it is marked, the session must lie between the start of the enrolment and `last_day`, the
    day of its end (None while it lasts): paper may be typed in after a release.
    """
    if class_id != session.class_id:
        raise NotInSession
    if record is not None and record.state is MarkState.MARKED:
        return
    if session.held_on < starts_on:
        raise NotInSession
    if last_day is not None and session.held_on > last_day:
        raise NotInSession


def record_mark(
    record: Attendance, session: Session, mark: AttendanceMark, now: datetime, by: str
) -> tuple[Attendance, list[Event], bool]:
    """Return the marked record, its events, and whether the mark contradicts an earlier one.

    The first mark is kept; a later one changes nothing. Raises SetBySystem, MinutesNeeded,
    TextNeeded.
    """
    minutes = _count_minutes(mark, session)
    if record.state is MarkState.MARKED:
        is_sent_again = bool(mark.client_id) and mark.client_id in record.client_ids
        is_same = (record.reason, record.minutes) == (mark.reason, minutes)
        return record, [], not is_sent_again and not is_same
    change = AttendanceChange(
        was=record.reason, now=mark.reason, minutes=minutes, by=by, at=now, why=mark.note
    )
    client_ids = record.client_ids
    if mark.client_id:
        client_ids = (*client_ids, mark.client_id)
    after = replace(
        record,
        state=MarkState.MARKED,
        reason=mark.reason.value,
        minutes=minutes,
        client_ids=client_ids,
        history=(*record.history, change),
    )
    event = AttendanceRecorded(
        participant_ref=after.participant_ref,
        enrolment_id=after.enrolment_id,
        session_id=after.session_id,
        facility_id=after.facility_id,
        reason=after.reason,
        minutes=after.minutes,
    )
    return after, [event], False


def report_contradiction(record: Attendance) -> RosterLine:
    """Return the refused line of a mark that contradicts the record, which a task reports."""
    return RosterLine(
        key=record.enrolment_id,
        outcome=LineOutcome.REFUSED,
        result_id=record.id,
        version=record.version,
        reasons=(LineReason(code="MARK_CONFLICT"),),
    )


def correct_mark(
    record: Attendance,
    session: Session,
    mark: AttendanceMark,
    now: datetime,
    today: date,
    window_days: int,
    by: str,
) -> Attendance:
    """Return the record with another mark and a longer history.

    Raises NotMarkedYet before the first mark, EditWindowClosed after the facility's window.
    """
    if record.state is not MarkState.MARKED:
        raise NotMarkedYet
    if (today - session.held_on).days > window_days:
        raise EditWindowClosed(days=window_days)
    minutes = _count_minutes(mark, session)
    if (record.reason, record.minutes) == (mark.reason, minutes):
        return record
    change = AttendanceChange(
        was=record.reason, now=mark.reason, minutes=minutes, by=by, at=now, why=mark.note
    )
    return replace(
        record, reason=mark.reason.value, minutes=minutes, history=(*record.history, change)
    )


def merge_records(kept: Attendance, other: Attendance, now: datetime) -> Attendance:
    """Return one record of two for one session, after their people became one person.

    Marked wins over waiting, attended over not attended, more minutes over fewer. Both histories
    are kept.
    """
    if _strength(other) > _strength(kept):
        winner = other
        loser = kept
    else:
        winner = kept
        loser = other
    history = tuple(sorted((*kept.history, *other.history), key=lambda change: change.at))
    if loser.state is MarkState.MARKED:
        change = AttendanceChange(
            was=loser.reason,
            now=winner.reason,
            minutes=winner.minutes,
            by="system",
            at=now,
            why="merged",
        )
        history = (*history, change)
    return replace(
        kept,
        state=winner.state,
        reason=winner.reason,
        minutes=winner.minutes,
        client_ids=(*kept.client_ids, *other.client_ids),
        history=history,
    )


def _strength(record: Attendance) -> tuple[bool, bool, int]:
    is_marked = record.state is MarkState.MARKED
    has_attended = record.reason in _ATTENDED_REASONS
    return is_marked, has_attended, record.minutes


def _count_minutes(mark: AttendanceMark, session: Session) -> int:
    """Return the minutes that a mark is worth.

    Raises SetBySystem, MinutesNeeded or TextNeeded when the mark is not acceptable.
    """
    if mark.reason in _SYSTEM_REASONS:
        raise SetBySystem
    if mark.reason is AttendanceReason.OTHER and not mark.note:
        raise TextNeeded
    if mark.reason is AttendanceReason.ATTENDED:
        return session.minutes
    if mark.reason is AttendanceReason.ATTENDED_PART:
        if not 0 < mark.minutes < session.minutes:
            raise MinutesNeeded
        return mark.minutes
    return 0
