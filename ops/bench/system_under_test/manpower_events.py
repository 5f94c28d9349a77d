"""The backlog of manpower: each person is admitted, then completes courses.

The events are built from training's own event classes and have the headers of its relay. A person's
events share a key. Not here: how they are sent (topics).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from chassis.ids import event_id, named_id
from chassis.messaging.events import Envelope, Event
from chassis.persistence.mongo import Mongo
from services.training.events import CourseCompleted, ParticipantAdmitted, Unit

EVENTS_PER_PERSON = 4
FACILITY = "LP-TJP"
ADMITTED_AT = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)
DAYS_BETWEEN_EVENTS = 90
UNITS = [
    Unit(code="F.41LAS00.001.1", title="Menerapkan keselamatan dan kesehatan kerja"),
    Unit(code="F.41LAS00.002.1", title="Membaca gambar teknik pengelasan"),
    Unit(code="F.41LAS00.003.1", title="Mengelas pelat posisi datar dengan SMAW"),
]


class EffectsDiffer(Exception):
    """Manpower lost an event or applied one twice."""


def count_people(events: int) -> int:
    """Return how many people a backlog of that many events is about."""
    return max(1, events // EVENTS_PER_PERSON)


def build_record(
    number: int, events: int, traceparent: bytes
) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """Return key, body and headers of one event of a backlog.

    The first events admit each person once. Every later one completes another course.
    """
    people = count_people(events)
    turn = number // people
    participant_ref = named_id("participant", number % people)
    occurred_at = ADMITTED_AT + turn * timedelta(days=DAYS_BETWEEN_EVENTS)
    if turn == 0:
        collection = "participants"
        aggregate_id = participant_ref
        event: Event = _admit(participant_ref, occurred_at)
    else:
        collection = "enrolments"
        aggregate_id = named_id("enrolment", number)
        event = _complete(participant_ref, aggregate_id, occurred_at.date(), turn)
    envelope = Envelope(
        id=event_id("training", collection, aggregate_id, 1, 0),
        type=event.type,
        source="bina/training",
        key=event.key,
        time=occurred_at,
        sequence=turn + 1,
        aggregate_id=aggregate_id,
        aggregate_version=1,
        facility_id=FACILITY,
        actor_role="training_officer",
        actor_ref="user-000001",
        correlation_id=named_id("correlation", number),
        causation_id=named_id("causation", number),
        traceparent=traceparent.decode(),
    )
    return (
        event.key.encode(),
        event.model_dump_json(exclude_none=True).encode(),
        envelope.headers(),
    )


async def check_effects(db: Mongo, events: int) -> None:
    """Raise EffectsDiffer unless each event had its one effect.

    The effect of an admission is a candidate, that of a completion is a course. Both write one
    audit row and one inbox row.
    """
    people = count_people(events)
    candidates = await db.find("candidates", {})
    changes = {"action": {"$in": ["candidates.added", "candidates.changed"]}}
    found = {
        "candidates": len(candidates),
        "courses": sum(len(candidate["courses"]) for candidate in candidates),
        "audit rows": await db.count("audit", changes),
        "inbox rows": await db.count("inbox", {"state": "done"}),
    }
    expected = {
        "candidates": people,
        "courses": events - people,
        "audit rows": events,
        "inbox rows": events,
    }
    if found != expected:
        raise EffectsDiffer(f"expected {expected}, found {found}")


def _admit(participant_ref: str, occurred_at: datetime) -> ParticipantAdmitted:
    return ParticipantAdmitted(
        participant_ref=participant_ref,
        facility_id=FACILITY,
        kind="new",
        effective_on=occurred_at.date(),
        as_of=occurred_at,
    )


def _complete(
    participant_ref: str, enrolment_id: str, completed_on: date, turn: int
) -> CourseCompleted:
    return CourseCompleted(
        participant_ref=participant_ref,
        enrolment_id=enrolment_id,
        class_id=named_id("class", turn),
        programme_id=named_id("programme", turn),
        programme_version=1,
        title=f"Las listrik tingkat {turn}",
        units=UNITS,
        lesson_hours=160,
        attended_minutes=9_400,
        completed_on=completed_on,
        instructor_refs=["user-000002"],
    )
