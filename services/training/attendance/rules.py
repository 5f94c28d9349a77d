"""What is allowed: who is expected in a session, what is marked, and how marks change. Minutes are whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import Conflict, NotFound, Refused
from chassis.ids import named_id
from chassis.messaging.events import Event
from services.training.events import AttendanceRecorded
from services.training.sessions.rules import Session


class AttendanceUnknown(NotFound):
    title = "Catatan presensi tidak ditemukan"


class NotInSession(Refused):
    title = "Enrolmen ini bukan peserta sesi tersebut"
    field = "enrolment_id"


class MinutesNeeded(Refused):
    title = "Sebutkan menit kehadiran, lebih dari 0 dan kurang dari lama sesi"
    field = "minutes"


class TextNeeded(Refused):
    title = "Alasan lain harus dijelaskan"
    field = "note"


class EditWindowClosed(Conflict):
    """`days` is the facility's window after the session."""

    title = "Batas waktu mengubah presensi sudah lewat; ajukan koreksi"


class NotMarkedYet(Conflict):
    title = "Presensi ini belum dicatat"


class SetBySystem(Refused):
    title = "Alasan ini hanya dicatat oleh sistem"
    field = "reason"


class Reason(StrEnum):
    """What became of a participant in a session."""

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


COUNTS_AS: Mapping[Reason, CountsAs] = dict.fromkeys(Reason, CountsAs.EXCUSED) | {
    Reason.ATTENDED: CountsAs.PRESENT,
    Reason.ATTENDED_PART: CountsAs.PRESENT,
    Reason.REFUSED: CountsAs.ABSENT,
    Reason.OTHER: CountsAs.ABSENT,
}
_SYSTEM_REASONS = frozenset({Reason.SUSPENDED, Reason.AUTO_SUSPENDED, Reason.SESSION_CANCELLED})
_ATTENDED_REASONS = frozenset({Reason.ATTENDED, Reason.ATTENDED_PART})


class MarkState(StrEnum):
    """Expected, or marked."""

    WAITING = "WAITING"
    MARKED = "MARKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttendanceMark:
    """What an officer says of one participant in one session. `client_id` is the offline device's own number of the mark."""

    reason: Reason
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
    """One enrolment in one session; its id is made of both. While it waits, `reason` says whether the enrolment rests."""

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
    """The id of the record of an enrolment in a session."""
    return named_id(enrolment_id, session_id)


def expect(
    enrolment_id: str, participant_ref: str, session: Session, *, is_suspended: bool
) -> Attendance:
    """A record that waits to be marked."""
    return Attendance(
        id=attendance_id(enrolment_id, session.id),
        enrolment_id=enrolment_id,
        session_id=session.id,
        class_id=session.class_id,
        facility_id=session.facility_id,
        participant_ref=participant_ref,
        held_on=session.held_on,
        starts_at=session.starts_at,
        reason=Reason.AUTO_SUSPENDED if is_suspended else "",
    )


def record_mark(
    record: Attendance, session: Session, mark: AttendanceMark, now: datetime, by: str
) -> tuple[Attendance, list[Event], bool]:
    """(the record, its events, whether the mark contradicts the one that stands). The first mark stands; the same again is no change."""
    minutes = _count_minutes(mark, session)
    if record.state is MarkState.MARKED:
        known = mark.client_id in record.client_ids if mark.client_id else False
        return record, [], not known and (record.reason, record.minutes) != (mark.reason, minutes)
    change = AttendanceChange(
        was=record.reason, now=mark.reason, minutes=minutes, by=by, at=now, why=mark.note
    )
    after = replace(
        record,
        state=MarkState.MARKED,
        reason=mark.reason.value,
        minutes=minutes,
        client_ids=(*record.client_ids, *([mark.client_id] if mark.client_id else [])),
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


def correct_mark(
    record: Attendance,
    session: Session,
    mark: AttendanceMark,
    now: datetime,
    today: date,
    window_days: int,
    by: str,
) -> Attendance:
    """The record with another mark, its history longer. EditWindowClosed after the facility's window, NotMarkedYet before the first mark."""
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
    """One record of two for the same session, after two people turned out to be one: attended beats not, marked beats waiting; both histories are kept."""
    better = max(
        kept,
        other,
        key=lambda record: (
            record.state is MarkState.MARKED,
            record.reason in _ATTENDED_REASONS,
            record.minutes,
            record is kept,
        ),
    )
    dropped = other if better is kept else kept
    history = tuple(sorted((*kept.history, *other.history), key=lambda change: change.at))
    if dropped.state is MarkState.MARKED:
        history = (
            *history,
            AttendanceChange(
                was=dropped.reason,
                now=better.reason,
                minutes=better.minutes,
                by="system",
                at=now,
                why="merged",
            ),
        )
    return replace(
        kept,
        state=better.state,
        reason=better.reason,
        minutes=better.minutes,
        client_ids=(*kept.client_ids, *other.client_ids),
        history=history,
    )


def _count_minutes(mark: AttendanceMark, session: Session) -> int:
    """The minutes that a mark is worth; SetBySystem, MinutesNeeded or TextNeeded when it cannot be taken."""
    if mark.reason in _SYSTEM_REASONS:
        raise SetBySystem
    if mark.reason is Reason.OTHER and not mark.note:
        raise TextNeeded
    if mark.reason is Reason.ATTENDED:
        return session.minutes
    if mark.reason is Reason.ATTENDED_PART:
        if not 0 < mark.minutes < session.minutes:
            raise MinutesNeeded
        return mark.minutes
    return 0
