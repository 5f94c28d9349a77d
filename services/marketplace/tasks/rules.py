"""Rules of tasks that only a person can settle.

The id of a task is made of its cause, so that the same cause raises one task.
Not here: which events raise a task (the use cases of the other nouns).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.errors import Conflict, NotFound
from services.marketplace.settings import TEXTS


class TaskUnknown(NotFound):
    title = TEXTS["errors.task_unknown"]


class TaskDone(Conflict):
    title = TEXTS["errors.task_done"]


class TaskKind(StrEnum):
    AMOUNT_MISMATCH = "payment_amount_mismatched"
    RECEIVED_LATE = "payment_received_late"
    REVERSED_AFTER_SHIPPING = "payment_reversed_after_shipping"
    RECEIVED_TWICE = "payment_received_twice"
    REFUND_REFUSED = "refund_refused_by_gateway"
    MONEY_MOVED = "money_moved_at_gateway"
    CLOSING_FAILED = "order_cannot_be_closed"
    ASSIGNMENT_ENDED = "assignment_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """An item on the officers' worklist.

    `subject` is the id of the order or assignment that it is about.
    """

    id: str
    facility_id: str
    kind: TaskKind
    subject: str
    facts: dict[str, str]
    raised_at: datetime
    done_at: datetime | None = None
    done_by: str = ""
    outcome: str = ""
    version: int = 0


def finish(task: Task, *, outcome: str, by: str, now: datetime) -> Task:
    """Record how the task was settled. Raises TaskDone."""
    if task.done_at is not None:
        raise TaskDone
    return replace(task, done_at=now, done_by=by, outcome=outcome)
