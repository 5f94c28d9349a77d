"""What happens: the facts about a person and a class are gathered, for a report or for the enrolment itself."""

from __future__ import annotations

from services.training.classes.rules import TrainingClass
from services.training.participants.rules import Participant
from services.training.suitability import rules
from services.training.suitability.rules import SuitabilityCase, SuitabilityReason
from services.training.transaction import Transaction


async def read_case(person: Participant, run: TrainingClass, tx: Transaction) -> SuitabilityCase:
    """What the rules look at."""
    mine = await tx.enrolments.list_by_participant(person.id)
    return SuitabilityCase(
        person=person,
        training_class=run,
        programme=await tx.programmes.get(run.programme_id),
        standings=await tx.tpp_standings.seek(person.id, scoped=False),
        is_enrolled=any(enrolment.live and enrolment.class_id == run.id for enrolment in mine),
        has_completed=any(
            enrolment.completed_on is not None and enrolment.programme_id == run.programme_id
            for enrolment in mine
        ),
    )


async def report(class_id: str, participant_ref: str, tx: Transaction) -> list[SuitabilityReason]:
    """Every reason for and against a person in a class, as of now."""
    run = await tx.classes.get(class_id)
    person = await tx.participants.get(await tx.resolve(participant_ref))
    facility = await tx.facilities.get(run.facility_id, scoped=False)
    tx.note("suitability.shown", person.id, class_id=run.id)
    return rules.reasons_against_enrolment(
        await read_case(person, run, tx), tx.now, facility.local_date(tx.now)
    )


def hold_case(case: SuitabilityCase, tx: Transaction) -> None:
    """Let every later change of what the rules looked at conflict with this transaction."""
    tx.participants.hold(case.person)
    tx.classes.hold(case.training_class)
    if case.standings is not None:
        tx.tpp_standings.hold(case.standings)
