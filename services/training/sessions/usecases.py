"""What happens: sessions are planned and given up."""

from __future__ import annotations

from datetime import date

from chassis.persistence.store import Page
from services.training.attendance import usecases as attendance
from services.training.sessions import rules
from services.training.sessions.rules import Session, SessionExists
from services.training.transaction import Transaction


async def plan_session(
    class_id: str, held_on: date, clock: str, minutes: int, tx: Transaction
) -> Session:
    """A meeting of the class; everybody enrolled is expected unless it has begun already."""
    run = await tx.classes.get(class_id)
    facility = await tx.facilities.get(run.facility_id, scoped=False)
    session = rules.plan(run, held_on, clock, facility.local_moment(held_on, clock), minutes)
    if await tx.sessions.seek(session.id) is not None:
        raise SessionExists
    tx.classes.hold(run)
    for enrolment in await tx.enrolments.list_live_by_class(class_id):
        attendance.expect_participant(enrolment, session, tx)
    return tx.sessions.add(session)


async def cancel_session(
    session_id: str, reason: str, if_match: int | None, tx: Transaction
) -> Session:
    """It will not take place; nobody is expected any more."""
    before = await tx.sessions.get(session_id, if_match=if_match)
    await attendance.remove_unmarked_of_session(before, tx)
    return tx.sessions.save(before, rules.cancel(before, reason))


async def sessions(class_id: str, cursor: str | None, limit: int, tx: Transaction) -> Page[Session]:
    """The sessions of a class of the caller's."""
    await tx.classes.get(class_id)
    return await tx.sessions.list_page(class_id, cursor, limit)


async def session(session_id: str, tx: Transaction) -> Session:
    """One session of the caller's facilities."""
    return await tx.sessions.get(session_id)
