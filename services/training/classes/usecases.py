"""Use cases of classes: plan, change, open, start, resize, read and list.

Not here: closing and cancelling, which also end enrolments (enrolments).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chassis.persistence.store import Page
from services.training.classes import rules
from services.training.classes.rules import ClassSeats, ClassState, TrainingClass
from services.training.transaction import Transaction


async def plan_class(
    training_class: TrainingClass, seats_total: int, tx: Transaction
) -> TrainingClass:
    """Add a class in draft with its seats, bound to an edition (0 = the newest)."""
    facility = await tx.facilities.get(training_class.facility_id)
    programme = await tx.programmes.get(training_class.programme_id)
    planned = rules.plan(training_class, programme)
    tx.class_seats.add(ClassSeats(id=planned.id, facility_id=facility.id, total=seats_total))
    return tx.classes.add(planned)


async def change_class(
    class_id: str, changes: Mapping[str, Any], if_match: int, tx: Transaction
) -> TrainingClass:
    """Change title, location, dates or instructors of a class that has not ended."""
    before = await tx.classes.get(class_id, if_match=if_match)
    return tx.classes.save(before, rules.change(before, changes))


async def open_class(class_id: str, if_match: int, tx: Transaction) -> TrainingClass:
    """Open a class for applications and enrolments."""
    before = await tx.classes.get(class_id, if_match=if_match)
    after, events = rules.open_class(before, await tx.class_seats.get(class_id))
    return tx.classes.save(before, after, events)


async def start_class(class_id: str, if_match: int, tx: Transaction) -> TrainingClass:
    """Start an open class."""
    before = await tx.classes.get(class_id, if_match=if_match)
    return tx.classes.save(before, rules.advance(before, ClassState.RUNNING))


async def resize_class(
    class_id: str, seats_total: int, if_match: int, tx: Transaction
) -> ClassSeats:
    """Change the number of seats; no enrolment changes."""
    before = await tx.class_seats.get(class_id, if_match=if_match)
    return tx.class_seats.save(before, rules.resize(before, seats_total))


async def read_class(class_id: str, tx: Transaction) -> tuple[TrainingClass, ClassSeats]:
    """Return one class in the caller's scope and its seats."""
    return await tx.classes.get(class_id), await tx.class_seats.get(class_id)


async def list_classes(
    facility_id: str | None,
    state: ClassState | None,
    cursor: str | None,
    limit: int,
    tx: Transaction,
) -> tuple[Page[TrainingClass], dict[str, ClassSeats]]:
    """Return a page of the classes in the caller's scope, and their seats by class."""
    page = await tx.classes.list_page(facility_id, state, cursor, limit)
    return page, await tx.class_seats.many(training_class.id for training_class in page.items)
