"""Use cases of attendance: plan and cancel sessions, expect, mark, correct, list.

Planning and cancelling a session lie here because they change sessions and attendance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime

from chassis import rosters
from chassis.persistence.store import Page
from chassis.rosters import RosterLine
from services.training.attendance import rules
from services.training.attendance.rules import Attendance, AttendanceMark
from services.training.roster_reports.rules import RosterReport
from services.training.roster_reports.usecases import act_on_lines
from services.training.sessions import rules as session_rules
from services.training.sessions.rules import Session
from services.training.tasks import rules as task_rules
from services.training.tasks import usecases as tasks
from services.training.tasks.rules import TaskKind
from services.training.transaction import Transaction


async def plan_session(
    class_id: str, held_on: date, clock: str, minutes: int, tx: Transaction
) -> Session:
    """Add a session of a class; expect everybody enrolled unless it has already begun."""
    training_class = await tx.classes.get(class_id)
    facility = await tx.facilities.get(training_class.facility_id, scoped=False)
    starts_at = facility.local_moment(held_on, clock)
    session = session_rules.plan(training_class, held_on, clock, starts_at, minutes)
    session_rules.require_new(session, await tx.sessions.seek(session.id))
    tx.classes.hold(training_class)
    for enrolment in await tx.enrolments.list_live_by_class(class_id):
        expect(
            enrolment.id,
            enrolment.participant_ref,
            enrolment.starts_on,
            session,
            enrolment.absence_on(session.held_on),
            tx,
        )
    return tx.sessions.add(session)


async def cancel_session(session_id: str, reason: str, if_match: int, tx: Transaction) -> Session:
    """Cancel a session and remove its unmarked records."""
    return await _cancel(await tx.sessions.get(session_id, if_match=if_match), reason, tx)


async def cancel_upcoming(upcoming: Sequence[Session], reason: str, tx: Transaction) -> None:
    """Cancel the sessions of a class that have not begun, because the class is closed."""
    for session in upcoming:
        await _cancel(session, reason, tx)


async def _cancel(before: Session, reason: str, tx: Transaction) -> Session:
    for record in await tx.attendance.list_waiting_by_session(before.id):
        tx.attendance.remove(record)
    return tx.sessions.save(before, session_rules.cancel(before, reason))


async def mark_session(
    session_id: str, marks: Sequence[tuple[str, AttendanceMark]], tx: Transaction
) -> RosterReport:
    """Record the marks (enrolment, mark) of a session; report each line.

    The session is held with the first good mark. The first mark of a record is kept; a different
    one opens a task for the officer.
    """
    before = await tx.sessions.get(session_id)
    session, events = session_rules.mark_held(before, tx.now)
    enrolments = await tx.enrolments.many(enrolment_id for enrolment_id, _ in marks)
    records = await tx.attendance.many(
        rules.attendance_id(enrolment_id, session.id) for enrolment_id, _ in marks
    )

    async def record(index: int) -> RosterLine:
        enrolment_id, mark = marks[index]
        enrolment = rules.require_known(enrolments.get(enrolment_id))
        known = records.get(rules.attendance_id(enrolment_id, session.id))
        rules.require_in_session(
            session,
            known,
            class_id=enrolment.class_id,
            starts_on=enrolment.starts_on,
            last_day=enrolment.last_attendance_day,
        )
        tx.enrolments.hold(enrolment)
        return await _record_mark(known, enrolment_id, enrolment.participant_ref, session, mark, tx)

    keys = [enrolment_id for enrolment_id, _ in marks]
    report = await act_on_lines("attendance", session.facility_id, session.id, keys, record, tx)
    if events and report.counts["applied"]:
        tx.sessions.save(before, session, events)
    else:
        tx.sessions.hold(before)
    return report


async def correct_mark(
    attendance_id: str, mark: AttendanceMark, if_match: int, tx: Transaction
) -> Attendance:
    """Change the mark of a record within the facility's window."""
    before = await tx.attendance.get(attendance_id, if_match=if_match)
    session = await tx.sessions.get(before.session_id)
    facility = await tx.facilities.get(before.facility_id, scoped=False)
    after = rules.correct_mark(
        before,
        session,
        mark,
        tx.now,
        facility.local_date(tx.now),
        facility.edit_window_days,
        tx.caller.subject,
    )
    return before if after == before else tx.attendance.save(before, after)


async def list_records(
    session_id: str, cursor: str | None, limit: int, tx: Transaction
) -> Page[Attendance]:
    """Return a page of the records of a session in the caller's scope, noted as read."""
    await tx.sessions.get(session_id)
    page = await tx.attendance.list_page(session_id, cursor, limit)
    people = {record.participant_ref for record in page.items}
    tx.note("attendance.listed", session_id, refs=sorted(people))
    return page


# The functions below are called by enrolments. They take values, because attendance must not import
# the aggregate of a later noun.


def expect(
    enrolment_id: str,
    participant_ref: str,
    starts_on: date,
    session: Session,
    reason: str,
    tx: Transaction,
) -> None:
    """Add a record unless the session has begun or is before the start of the enrolment."""
    if session.starts_at <= tx.now or session.held_on < starts_on:
        return
    record = rules.expect(enrolment_id, participant_ref, session, reason)
    tx.attendance.add(record)


async def update_expected(
    enrolment_id: str, absence_on: Callable[[date], str], tx: Transaction
) -> None:
    """Record in which sessions not begun the participant is expected.

    `absence_on` gives the reason of the system against each day, empty for none. Cancelled sessions
    have no record.
    """
    for record in await tx.attendance.list_waiting_by_enrolment(enrolment_id, tx.now):
        reason = absence_on(record.held_on)
        if record.reason != reason:
            tx.attendance.save(record, replace(record, reason=reason))


async def remove_unmarked(enrolment_id: str, tx: Transaction) -> None:
    """Remove unmarked records of sessions not begun; marked and past ones stay."""
    for record in await tx.attendance.list_waiting_by_enrolment(enrolment_id, tx.now):
        tx.attendance.remove(record)


async def count_attended_minutes(enrolment_id: str, tx: Transaction) -> int:
    """Return the minutes marked as attended."""
    return sum(record.minutes for record in await tx.attendance.list_by_enrolment(enrolment_id))


async def replace_participant_ref(enrolment_id: str, participant_ref: str, tx: Transaction) -> None:
    """Store another participant reference in the records of an enrolment."""
    for record in await tx.attendance.list_by_enrolment(enrolment_id):
        if record.participant_ref != participant_ref:
            tx.attendance.save(record, replace(record, participant_ref=participant_ref))


async def merge_records(
    kept_id: str, kept_participant_ref: str, ended_id: str, now: datetime, tx: Transaction
) -> None:
    """Move the records of an ended enrolment to the one kept; two of a session become one.

    Both enrolments are in the same class, and their people became one person.
    """
    kept_records = await tx.attendance.list_by_enrolment(kept_id)
    kept_by_session = {record.session_id: record for record in kept_records}
    for record in await tx.attendance.list_by_enrolment(ended_id):
        tx.attendance.remove(record)
        own = kept_by_session.get(record.session_id)
        if own is not None:
            merged = rules.merge_records(own, record, now)
            tx.attendance.save(own, replace(merged, participant_ref=kept_participant_ref))
            continue
        moved = replace(
            record,
            id=rules.attendance_id(kept_id, record.session_id),
            enrolment_id=kept_id,
            participant_ref=kept_participant_ref,
        )
        # the record follows the enrolment, also in a facility outside the caller's scope
        tx.attendance.add(moved, scoped=False)


async def _record_mark(
    record: Attendance | None,
    enrolment_id: str,
    participant_ref: str,
    session: Session,
    mark: AttendanceMark,
    tx: Transaction,
) -> RosterLine:
    before = record or rules.expect(enrolment_id, participant_ref, session)
    after, events, is_contradiction = rules.record_mark(
        before, session, mark, tx.now, tx.caller.subject
    )
    if is_contradiction:
        await _open_conflict_task(before, session, mark, tx)
        return rules.report_contradiction(before)
    if after == before:
        return rosters.repeated(enrolment_id, before)
    if record is None:
        return rosters.applied(enrolment_id, tx.attendance.add(after, events))
    return rosters.applied(enrolment_id, tx.attendance.save(before, after, events))


async def _open_conflict_task(
    record: Attendance, session: Session, mark: AttendanceMark, tx: Transaction
) -> None:
    facility = await tx.facilities.get(session.facility_id, scoped=False)
    task = task_rules.open_task(
        TaskKind.MARK_CONFLICT,
        session.facility_id,
        tx.now,
        facility.local_date(tx.now),
        participant_ref=record.participant_ref,
        subject=session.id,
        facts={
            "session_id": session.id,
            "stands": record.reason,
            "refused": mark.reason.value,
        },
    )
    await tasks.open_task(task, tx)
