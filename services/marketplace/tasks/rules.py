"""Rules of tasks that only a person can settle.

The id of a task is made of its cause, so that the same cause raises one task.
Not here: which events raise a task (the use cases of the other nouns).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from chassis.errors import Conflict, NotFound
from chassis.tasks import Resolution, TaskKindRules, TaskState
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


_ORDER_STEP = "POST /v1/orders/{order_id}/transitions"
_ASSIGNMENT_END = "POST /v1/work-assignments/{assignment_id}/end"
_PAID_BACK = Resolution("paid_back_by_hand")
_BUYER_INFORMED = Resolution("buyer_informed")

KINDS: Mapping[str, TaskKindRules] = {
    TaskKind.AMOUNT_MISMATCH: TaskKindRules(
        role="treasurer", due_days=3, resolutions=(_BUYER_INFORMED, _PAID_BACK)
    ),
    TaskKind.RECEIVED_LATE: TaskKindRules(
        role="treasurer", due_days=3, resolutions=(_PAID_BACK, _BUYER_INFORMED)
    ),
    TaskKind.REVERSED_AFTER_SHIPPING: TaskKindRules(
        role="store_officer",
        due_days=3,
        resolutions=(_BUYER_INFORMED, Resolution("goods_returned"), Resolution("written_off")),
    ),
    TaskKind.RECEIVED_TWICE: TaskKindRules(
        role="treasurer", due_days=3, resolutions=(_PAID_BACK, _BUYER_INFORMED)
    ),
    TaskKind.REFUND_REFUSED: TaskKindRules(
        role="treasurer", due_days=3, resolutions=(_PAID_BACK, _BUYER_INFORMED)
    ),
    TaskKind.MONEY_MOVED: TaskKindRules(
        role="treasurer",
        due_days=3,
        resolutions=(Resolution("booked_by_hand"), Resolution("nothing_to_book")),
    ),
    TaskKind.CLOSING_FAILED: TaskKindRules(
        role="store_officer",
        due_days=1,
        resolutions=(Resolution("order_closed", _ORDER_STEP), Resolution("order_stays_open")),
    ),
    TaskKind.ASSIGNMENT_ENDED: TaskKindRules(
        role="workshop_officer",
        due_days=3,
        resolutions=(Resolution("work_settled"), Resolution("work_ended", _ASSIGNMENT_END)),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """An item on the officers' worklist.

    `subject` is the id of the order or assignment that it is about; `outcome` is the reason that
    the officer gave.
    """

    id: str
    facility_id: str
    kind: TaskKind
    subject: str
    facts: dict[str, str]
    role: str
    raised_at: datetime
    due_on: date
    state: TaskState = TaskState.OPEN
    done_at: datetime | None = None
    done_by: str = ""
    resolution: str = ""
    outcome: str = ""
    version: int = 0


def raise_task(
    task_id: str,
    kind: TaskKind,
    *,
    facility_id: str,
    subject: str,
    facts: dict[str, str],
    now: datetime,
) -> Task:
    """Return a new task, with the role and the due date of its kind."""
    return Task(
        id=task_id,
        facility_id=facility_id,
        kind=kind,
        subject=subject,
        facts=facts,
        role=KINDS[kind].role,
        raised_at=now,
        due_on=due_on(kind, now),
    )


def due_on(kind: TaskKind, raised_at: datetime) -> date:
    """Return the day by which a task of this kind is due."""
    return (raised_at + timedelta(days=KINDS[kind].due_days)).date()


def resolve(task: Task, resolution: str, reason: str, *, by: str, now: datetime) -> Task:
    """Return the task resolved; the same resolution again changes nothing.

    Raises ResolutionUnknown, and TaskDone when it has another resolution.
    """
    KINDS[task.kind].require_resolution(resolution)
    if task.state is TaskState.RESOLVED:
        if task.resolution != resolution:
            raise TaskDone
        return task
    return replace(
        task,
        state=TaskState.RESOLVED,
        done_at=now,
        done_by=by,
        resolution=resolution,
        outcome=reason,
    )
