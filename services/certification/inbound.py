"""The events that certification consumes: completed courses and merged persons.

Both handlers look aggregates up by query, never by id, so that no event declares `reads`.
"""

from __future__ import annotations

from datetime import date

from chassis.ids import new_id
from chassis.messaging.events import Inbound, Reference, SubjectNotKnownYet
from services.certification.applications.usecases import open_application
from services.certification.origins.rules import Origin
from services.certification.origins.usecases import merge_person
from services.certification.schemes.rules import edition_id
from services.certification.transaction import Transaction


class CourseCompleted(Inbound, type="training.course-completed.v1"):
    """A completed course; a programme that names a scheme opens an application for it."""

    participant_ref: Reference
    enrolment_id: str
    class_id: str
    programme_id: str
    programme_version: int
    title: str
    scheme_ref: str | None = None
    completed_on: date
    instructor_refs: frozenset[str] = frozenset()


class ParticipantMerged(Inbound, type="training.participant-merged.v1"):
    """Two records of one person became one. Training publishes it once under each key."""

    from_ref: str
    into_ref: str


async def on_course_completed(event: CourseCompleted, tx: Transaction) -> None:
    """Open one application per enrolment, as soon as the scheme is published."""
    if event.scheme_ref is None:
        return
    scheme = await tx.schemes.find_newest(event.scheme_ref)
    if scheme is None:
        raise SubjectNotKnownYet(edition_id(event.scheme_ref, 1))
    origin = Origin(
        id=new_id(),
        lsp_id=scheme.lsp_id,
        participant_ref=event.participant_ref,
        enrolment_id=event.enrolment_id,
        class_id=event.class_id,
        programme_id=event.programme_id,
        programme_version=event.programme_version,
        course_title=event.title,
        completed_on=event.completed_on,
        instructor_refs=event.instructor_refs,
    )
    await open_application(origin, scheme, tx)


async def on_participant_merged(event: ParticipantMerged, tx: Transaction) -> None:
    """Merge the two references; the second event changes nothing more."""
    await merge_person(event.from_ref, event.into_ref, tx)
