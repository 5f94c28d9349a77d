"""What happens: the facts about a person and a class are gathered, for a report or for the enrolment itself."""

from __future__ import annotations

from services.training.classes.rules import ClassRun
from services.training.participants.rules import Participant
from services.training.suitability import rules
from services.training.suitability.rules import Case, Reason
from services.training.transaction import Transaction


async def case_of(person: Participant, run: ClassRun, tx: Transaction) -> Case:
    """What the rules look at."""
    mine = await tx.enrolments.all_of(person.id)
    return Case(
        person=person,
        run=run,
        programme=await tx.programmes.get(run.programme_id),
        standings=await tx.tpp_standings.seek(person.id, scoped=False),
        enrolled=any(enrolment.live and enrolment.class_id == run.id for enrolment in mine),
        completed=any(
            enrolment.completed_on is not None and enrolment.programme_id == run.programme_id
            for enrolment in mine
        ),
    )


async def report(class_id: str, participant_ref: str, tx: Transaction) -> list[Reason]:
    """Every reason for and against a person in a class, as of now."""
    run = await tx.classes.get(class_id)
    person = await tx.participants.get(await tx.resolve(participant_ref))
    facility = await tx.facilities.get(run.facility_id, scoped=False)
    tx.note("suitability.shown", person.id, class_id=run.id)
    return rules.suitability(await case_of(person, run, tx), tx.now, facility.today(tx.now))


def hold(case: Case, tx: Transaction) -> None:
    """Let every later change of what the rules looked at conflict with this transaction."""
    tx.participants.hold(case.person)
    tx.classes.hold(case.run)
    if case.standings is not None:
        tx.tpp_standings.hold(case.standings)
