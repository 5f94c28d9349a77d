"""What happens: people are expected in sessions, marked, and marked anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chassis.persistence.store import Page
from services.training.attendance import rules
from services.training.attendance.rules import Attendance, AttendanceMark, NotInSession, Reason
from services.training.enrolments.rules import Enrolment
from services.training.sessions import rules as session_rules
from services.training.sessions.rules import Session
from services.training.tasks import rules as items
from services.training.tasks import usecases as inbox
from services.training.tasks.rules import TaskKind
from services.training.transaction import Transaction


def expect_participant(enrolment: Enrolment, session: Session, tx: Transaction) -> None:
    """The participant is expected, unless the session has begun or lies before the enrolment."""
    if session.starts_at > tx.now and session.held_on >= enrolment.starts_on:
        tx.attendance.add(
            rules.expect(
                enrolment.id,
                enrolment.participant_ref,
                session,
                is_suspended=bool(enrolment.automatic),
            )
        )


async def suspend(enrolment: Enrolment, tx: Transaction) -> None:
    """The participant is not expected while the enrolment rests."""
    for record in await tx.attendance.list_waiting_by_enrolment(enrolment.id, tx.now):
        tx.attendance.save(record, replace(record, reason=Reason.AUTO_SUSPENDED.value))


async def resume(enrolment: Enrolment, tx: Transaction) -> None:
    """The participant is expected again. What was cancelled meanwhile has no record, so it stays cancelled."""
    for record in await tx.attendance.list_waiting_by_enrolment(enrolment.id, tx.now):
        tx.attendance.save(record, replace(record, reason=""))


async def remove_unmarked(enrolment: Enrolment, tx: Transaction) -> None:
    """What is not marked of sessions to come goes; what is marked or past stays."""
    for record in await tx.attendance.list_waiting_by_enrolment(enrolment.id, tx.now):
        tx.attendance.remove(record)


async def remove_unmarked_of_session(session: Session, tx: Transaction) -> None:
    """Nobody is expected in a cancelled session."""
    for record in await tx.attendance.list_waiting_by_session(session.id):
        tx.attendance.remove(record)


async def mark_session(
    session_id: str, marks: Sequence[tuple[str, AttendanceMark]], tx: Transaction
) -> Session:
    """Marks (enrolment, mark) of a session, which takes place by it. The first mark of a record stands; another one opens an item for the officer."""
    before = await tx.sessions.get(session_id)
    after, events = session_rules.mark_held(before, tx.now)
    session = tx.sessions.save(before, after, events) if events else before
    if not events:
        tx.sessions.hold(before)
    enrolments = await tx.enrolments.many(enrolment_id for enrolment_id, _ in marks)
    known = await tx.attendance.many(
        rules.attendance_id(enrolment_id, session.id) for enrolment_id, _ in marks
    )
    for enrolment_id, mark in marks:
        enrolment = enrolments.get(enrolment_id)
        if enrolment is None or enrolment.class_id != session.class_id:
            raise NotInSession
        record = known.get(rules.attendance_id(enrolment_id, session.id))
        if record is None and (not enrolment.live or session.held_on < enrolment.starts_on):
            raise NotInSession
        tx.enrolments.hold(enrolment)
        known[rules.attendance_id(enrolment_id, session.id)] = await _record_mark(
            record, enrolment, session, mark, tx
        )
    return session


async def remark(
    attendance_id: str, mark: AttendanceMark, if_match: int, tx: Transaction
) -> Attendance:
    """A record marked anew within the facility's window."""
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


async def records(
    session_id: str, cursor: str | None, limit: int, tx: Transaction
) -> Page[Attendance]:
    """The records of a session of the caller's."""
    await tx.sessions.get(session_id)
    page = await tx.attendance.list_page(session_id, cursor, limit)
    tx.note(
        "attendance.listed",
        session_id,
        refs=sorted({record.participant_ref for record in page.items}),
    )
    return page


async def count_attended_minutes(enrolment_id: str, tx: Transaction) -> int:
    """The minutes marked as attended."""
    return sum(record.minutes for record in await tx.attendance.list_by_enrolment(enrolment_id))


async def replace_participant_ref(enrolment: Enrolment, tx: Transaction) -> None:
    """The records of an enrolment name its participant anew."""
    for record in await tx.attendance.list_by_enrolment(enrolment.id):
        tx.attendance.save(record, replace(record, participant_ref=enrolment.participant_ref))


async def merge_records(kept: Enrolment, ended: Enrolment, now: datetime, tx: Transaction) -> None:
    """The records of an enrolment that turned out to be the same person's join those of the one that stays."""
    own = {record.session_id: record for record in await tx.attendance.list_by_enrolment(kept.id)}
    for record in await tx.attendance.list_by_enrolment(ended.id):
        tx.attendance.remove(record)
        mine = own.get(record.session_id)
        if mine is None:
            own_now = replace(
                record,
                id=rules.attendance_id(kept.id, record.session_id),
                enrolment_id=kept.id,
                participant_ref=kept.participant_ref,
            )
            tx.attendance.add(
                own_now, scoped=False
            )  # it follows the enrolment, wherever the class is
        else:
            tx.attendance.save(mine, rules.merge_records(mine, record, now))


async def _record_mark(
    record: Attendance | None,
    enrolment: Enrolment,
    session: Session,
    mark: AttendanceMark,
    tx: Transaction,
) -> Attendance:
    before = record or rules.expect(
        enrolment.id, enrolment.participant_ref, session, is_suspended=False
    )
    after, events, contradicts = rules.record_mark(before, session, mark, tx.now, tx.caller.subject)
    if contradicts:
        facility = await tx.facilities.get(session.facility_id, scoped=False)
        facts = {"session_id": session.id, "stands": before.reason, "refused": mark.reason.value}
        opened = items.open_task(
            TaskKind.MARK_CONFLICT,
            session.facility_id,
            tx.now,
            facility.local_date(tx.now),
            participant_ref=enrolment.participant_ref,
            subject=session.id,
            facts=facts,
        )
        await inbox.open_task(opened, tx)
    if after == before:
        return before
    return (
        tx.attendance.add(after, events)
        if record is None
        else tx.attendance.save(before, after, events)
    )
