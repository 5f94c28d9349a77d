"""Roster acts on a class: enrol, record results and confirm completions, a line per person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chassis import rosters
from chassis.rosters import RosterLine
from services.training.classes import rules as class_rules
from services.training.classes.rules import ClassFull
from services.training.enrolments import rules, usecases
from services.training.enrolments.rules import Enrolment
from services.training.roster_reports.rules import RosterReport
from services.training.roster_reports.usecases import act_on_lines
from services.training.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultLine:
    """One attempt of one enrolment, at its version."""

    enrolment_id: str
    version: int
    part: str
    passed: bool
    score: int | None
    assessor_ref: str


async def enrol_many(
    class_id: str, participant_refs: Sequence[str], override: str, tx: Transaction
) -> RosterReport:
    """Give a seat to everybody who is suitable; report each line.

    Without seats for all of them nobody gets one. Raises ClassFull.
    """
    training_class = class_rules.require_enrolling(await tx.classes.get(class_id))

    async def enrol(index: int) -> RosterLine:
        ref = participant_refs[index]
        for enrolment in await tx.enrolments.list_live_by_participant(await tx.resolve(ref)):
            if enrolment.class_id == class_id:
                return rosters.repeated(ref, enrolment)
        return rosters.applied(ref, await usecases.enrol(class_id, ref, override, tx))

    return await act_on_lines(
        "enrolments",
        training_class.facility_id,
        class_id,
        participant_refs,
        enrol,
        tx,
        refuses_all=ClassFull,
    )


async def record_results(
    class_id: str, results: Sequence[ResultLine], tx: Transaction
) -> RosterReport:
    """Add one more attempt for each line."""
    training_class = await tx.classes.get(class_id)

    async def record(index: int) -> RosterLine:
        line = results[index]
        await _read_of_class(line.enrolment_id, class_id, tx)
        enrolment = await usecases.record_result(
            line.enrolment_id,
            line.part,
            line.assessor_ref,
            line.score,
            line.version,
            tx,
            passed=line.passed,
        )
        return rosters.applied(line.enrolment_id, enrolment)

    keys = [line.enrolment_id for line in results]
    return await act_on_lines("results", training_class.facility_id, class_id, keys, record, tx)


async def confirm_completions(
    class_id: str, versions: Sequence[tuple[str, int]], instructor_ref: str, tx: Transaction
) -> RosterReport:
    """Complete each enrolment (id, version) that meets the rule; report what the others lack."""
    training_class = await tx.classes.get(class_id)

    async def confirm(index: int) -> RosterLine:
        enrolment_id, version = versions[index]
        enrolment = await _read_of_class(enrolment_id, class_id, tx)
        if enrolment.completed_on is not None:
            return rosters.repeated(enrolment_id, enrolment)
        completed = await usecases.confirm_completion(enrolment_id, instructor_ref, version, tx)
        return rosters.applied(enrolment_id, completed)

    keys = [enrolment_id for enrolment_id, _ in versions]
    return await act_on_lines(
        "completions", training_class.facility_id, class_id, keys, confirm, tx
    )


async def _read_of_class(enrolment_id: str, class_id: str, tx: Transaction) -> Enrolment:
    enrolment = await tx.enrolments.get(enrolment_id)
    return rules.require_class(enrolment, class_id)
