"""The domain of the measured service: how often a participant completed a course.

It writes per event what reference/hand_pipeline.py writes, and an audit row. Not here: its
processes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, ClassVar

from chassis.caller import Caller
from chassis.errors import Refused
from chassis.messaging.events import Event, Inbound, Reference
from chassis.persistence.store import Store
from chassis.persistence.unit_of_work import OperationContext, StoreOf
from chassis.persistence.unit_of_work import Transaction as UnitOfWork

# A note that begins with the first is refused; one that begins with the second breaks the handler.
REFUSED_NOTE = "refused"
BROKEN_NOTE = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How many courses one participant has completed."""

    id: str
    completed: int = 0
    version: int = 0


class CourseCompleted(Event, type="training.course-completed.v1", key="participant_ref"):
    """A participant completed a course; the writing service publishes it for each command."""

    participant_ref: Reference
    class_id: str
    completed_on: date
    note: str


class CompletionRecorded(Event, type="certification.completion-recorded.v1", key="participant_ref"):
    """A completion was counted; the reading service publishes it for each event."""

    participant_ref: Reference
    class_id: str
    completed_on: date
    note: str


class CourseCompletedCopy(Inbound, type="training.course-completed.v1"):
    """The reading service's tolerant copy of CourseCompleted."""

    participant_ref: Reference
    class_id: str
    completed_on: date
    note: str

    def reads(self) -> Iterable[tuple[type[Store[Any]], str]]:
        """Return the state, so that a batch reads all its states at once."""
        return [(Progresses, self.participant_ref)]


class NoteRefused(Refused):
    title = "Catatan ditolak"


class Progresses(Store[Progress]):
    kind = Progress
    collection = "progresses"
    scope: ClassVar = {"public": ""}


class Transaction(UnitOfWork):
    """A unit of work that lists the correlation ids of its effects for the commit clock."""

    progresses = StoreOf(Progresses)

    def __init__(
        self, db: Any, session: Any, now: datetime, context: OperationContext, ports: Any
    ) -> None:
        super().__init__(db, session, now, context, ports)
        self.took_effect: list[str] = []


def advance(before: Progress | None, participant_ref: str) -> Progress:
    """Return the state after one more completion."""
    if before is None:
        return Progress(id=participant_ref, completed=1)
    return replace(before, completed=before.completed + 1)


async def complete(event: CourseCompleted, tx: Transaction) -> Progress:
    """Write state, key counter and one outbox row."""
    before = await tx.progresses.seek(event.participant_ref)
    after = advance(before, event.participant_ref)
    tx.took_effect.append(tx.correlation_id)
    if before is None:
        return tx.progresses.add(after, [event])
    return tx.progresses.save(before, after, [event])


async def on_course_completed(event: CourseCompletedCopy, tx: Transaction) -> None:
    """Write state, key counter and one outbox row; the chassis writes inbox row and position.

    Raises NoteRefused.
    """
    if event.note.startswith(REFUSED_NOTE):
        raise NoteRefused
    if event.note.startswith(BROKEN_NOTE):
        raise RuntimeError(BROKEN_NOTE)
    before = await tx.progresses.seek(event.participant_ref)
    after = advance(before, event.participant_ref)
    recorded = CompletionRecorded(
        participant_ref=event.participant_ref,
        class_id=event.class_id,
        completed_on=event.completed_on,
        note=event.note,
    )
    tx.took_effect.append(event.meta.correlation_id)
    if before:
        tx.progresses.save(before, after, [recorded])
    else:
        tx.progresses.add(after, [recorded])


HANDLERS = {"training.events": {CourseCompletedCopy: on_course_completed}}
BENCH_CALLER = Caller(
    subject="bench",
    role="operator",
    permissions=frozenset({"POST /v1/completions", "POST /v1/bursts", "GET /v1/effects"}),
)
