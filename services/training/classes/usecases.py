"""What happens: classes are planned, opened, run, closed or given up; their seats change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chassis.persistence.store import Page
from services.training.applications import usecases as applications
from services.training.classes import rules
from services.training.classes.rules import ClassSeats, ClassState, ClassStateRefuses, TrainingClass
from services.training.enrolments import usecases as enrolments
from services.training.transaction import Transaction


async def plan_class(run: TrainingClass, seats_total: int, tx: Transaction) -> TrainingClass:
    """A class in draft, bound to an edition of a programme (0 = the newest)."""
    facility = await tx.facilities.get(run.facility_id)
    programme = await tx.programmes.get(run.programme_id)
    edition = programme.get_edition(run.edition) if run.edition else programme.newest_edition
    planned = rules.check_dates(
        replace(run, edition=edition.number, title=run.title or edition.title)
    )
    tx.class_seats.add(ClassSeats(id=planned.id, facility_id=facility.id, total=seats_total))
    return tx.classes.add(planned)


async def change_class(
    class_id: str, changes: Mapping[str, Any], if_match: int, tx: Transaction
) -> TrainingClass:
    """Another title, place, dates or instructors, until the class is closed or cancelled."""
    before = await tx.classes.get(class_id, if_match=if_match)
    if before.state in {ClassState.CLOSED, ClassState.CANCELLED}:
        raise ClassStateRefuses(state=before.state)
    return tx.classes.save(before, rules.check_dates(replace(before, **changes)))


async def open_class(class_id: str, if_match: int | None, tx: Transaction) -> TrainingClass:
    """Participants may apply and be enrolled."""
    before = await tx.classes.get(class_id, if_match=if_match)
    after, events = rules.open_class(before, await tx.class_seats.get(class_id))
    return tx.classes.save(before, after, events)


async def start_class(class_id: str, if_match: int | None, tx: Transaction) -> TrainingClass:
    """The first day has come."""
    before = await tx.classes.get(class_id, if_match=if_match)
    return tx.classes.save(before, rules.advance(before, ClassState.RUNNING))


async def close_class(class_id: str, if_match: int | None, tx: Transaction) -> TrainingClass:
    """The class is over: whoever has not completed it by now has not completed it."""
    before = await tx.classes.get(class_id, if_match=if_match)
    after = rules.advance(before, ClassState.CLOSED)
    await enrolments.end_at_class_close(before, tx)
    return tx.classes.save(before, after)


async def cancel_class(
    class_id: str, because: str, if_match: int | None, tx: Transaction
) -> TrainingClass:
    """The class is given up: its enrolments end, open applications are removed, seats come back, once."""
    before = await tx.classes.get(class_id, if_match=if_match)
    after = rules.cancel(before, because)
    await enrolments.end_at_class_cancellation(before, tx)
    await applications.remove_for_class(class_id, "CLASS_CANCELLED", tx)
    return tx.classes.save(before, after)


async def resize_class(
    class_id: str, seats_total: int, if_match: int, tx: Transaction
) -> ClassSeats:
    """Another number of seats; nobody is enrolled or removed by it."""
    before = await tx.class_seats.get(class_id, if_match=if_match)
    return tx.class_seats.save(before, rules.resize(before, seats_total))


async def class_with_seats(class_id: str, tx: Transaction) -> tuple[TrainingClass, ClassSeats]:
    """One class of the caller's and its seats."""
    return await tx.classes.get(class_id), await tx.class_seats.get(class_id)


async def classes(
    facility_id: str | None,
    state: ClassState | None,
    cursor: str | None,
    limit: int,
    tx: Transaction,
) -> tuple[Page[TrainingClass], dict[str, ClassSeats]]:
    """The caller's classes and their seats."""
    page = await tx.classes.list_page(facility_id, state, cursor, limit)
    return page, await tx.class_seats.many(run.id for run in page.items)
