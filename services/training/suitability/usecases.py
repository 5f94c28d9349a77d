"""Use cases of suitability: gather the facts about a person and a class, report the reasons."""

from __future__ import annotations

from collections.abc import Sequence

from services.training.classes.rules import TrainingClass
from services.training.participants.rules import Participant
from services.training.suitability import rules
from services.training.suitability.rules import SuitabilityCase, SuitabilityReason
from services.training.transaction import Transaction


async def read_case(
    person: Participant, training_class: TrainingClass, tx: Transaction
) -> SuitabilityCase:
    """Return everything that the rules read about a person and a class."""
    enrolments = await tx.enrolments.list_by_participant(person.id)
    return SuitabilityCase(
        person=person,
        training_class=training_class,
        programme=await tx.programmes.get(training_class.programme_id),
        standings=await tx.tpp_standings.seek(person.id, scoped=False),
        is_enrolled=any(
            enrolment.live and enrolment.class_id == training_class.id for enrolment in enrolments
        ),
        has_completed=any(
            enrolment.completed_on is not None
            and enrolment.programme_id == training_class.programme_id
            for enrolment in enrolments
        ),
    )


async def read_suitability(
    class_id: str, participant_ref: str, tx: Transaction
) -> list[SuitabilityReason]:
    """Return every reason against a person in a class as of now, noted as read."""
    training_class = await tx.classes.get(class_id)
    person = await tx.participants.get(await tx.resolve(participant_ref))
    facility = await tx.facilities.get(training_class.facility_id, scoped=False)
    tx.note("suitability.shown", person.id, class_id=training_class.id)
    case = await read_case(person, training_class, tx)
    return rules.reasons_against_enrolment(case, tx.now, facility.local_date(tx.now))


async def read_suitability_of_many(
    class_id: str, participant_refs: Sequence[str], tx: Transaction
) -> dict[str, list[SuitabilityReason]]:
    """Return the reasons against each person in the caller's scope, noted as read once."""
    training_class = await tx.classes.get(class_id)
    facility = await tx.facilities.get(training_class.facility_id, scoped=False)
    await tx.resolve_many(participant_refs)
    survivors = {ref: await tx.resolve(ref) for ref in participant_refs}
    people = await tx.participants.many(survivors.values())
    tx.note("suitability.listed", training_class.id, refs=sorted(people))
    today = facility.local_date(tx.now)
    reasons: dict[str, list[SuitabilityReason]] = {}
    for ref, into in survivors.items():
        if into in people:
            case = await read_case(people[into], training_class, tx)
            reasons[ref] = rules.reasons_against_enrolment(case, tx.now, today)
    return reasons


def hold_case(case: SuitabilityCase, tx: Transaction) -> None:
    """Make this transaction conflict with every later change of what the rules read."""
    tx.participants.hold(case.person)
    tx.classes.hold(case.training_class)
    if case.standings is not None:
        tx.tpp_standings.hold(case.standings)
