"""Roster acts on an assessment batch: forms and results of units, a line per application."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chassis import rosters
from chassis.errors import DomainError
from chassis.rosters import LineStep, RosterLine
from services.certification.applications import forms, results, usecases
from services.certification.applications.rules import (
    Application,
    ApplicationForm,
    CompetencyResult,
    SelfAssessment,
)
from services.certification.roster_reports.rules import RosterReport
from services.certification.roster_reports.usecases import act_on_lines
from services.certification.schemes.rules import Scheme
from services.certification.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class FormsLine:
    """The forms of one application at its version; at least one of the two is given."""

    application_id: str
    version: int
    form: ApplicationForm | None
    self_assessment: SelfAssessment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitResultsLine:
    """The results of one application by unit code, at its version."""

    application_id: str
    version: int
    results: Mapping[str, CompetencyResult]


async def submit_forms(lines: Sequence[FormsLine], tx: Transaction) -> RosterReport:
    """Store FR.APL.01 and FR.APL.02 of each line; report each line."""
    ids = [line.application_id for line in lines]
    editions = await _read_editions(ids, tx)

    async def submit(index: int) -> RosterLine:
        line = lines[index]
        before = await tx.applications.get(line.application_id)
        edition = editions[before.id]
        errors = forms.errors_against_forms(
            before, edition, form=line.form, self_assessment=line.self_assessment
        )
        after = before
        if not errors:
            after = forms.submit_forms(
                before, edition, form=line.form, self_assessment=line.self_assessment
            )
        return _change(before, after, line.version, errors, tx)

    return await _act("forms", ids, submit, tx)


async def record_results(lines: Sequence[UnitResultsLine], tx: Transaction) -> RosterReport:
    """Record the results of units of each line; equal ones change nothing."""
    ids = [line.application_id for line in lines]
    editions = await _read_editions(ids, tx)
    today = usecases.today(tx)

    async def record(index: int) -> RosterLine:
        line = lines[index]
        before = await tx.applications.get(line.application_id)
        edition = editions[before.id]
        errors = results.errors_against_results(before, edition, line.results, today)
        after = before
        if not errors:
            after = results.record_results(before, edition, line.results, today)
        return _change(before, after, line.version, errors, tx)

    return await _act("unit-results", ids, record, tx)


def _change(
    before: Application,
    after: Application,
    version: int,
    errors: Sequence[DomainError],
    tx: Transaction,
) -> RosterLine:
    """Store the change of a line and return the line.

    What changes nothing is a repeat, at an older version too (RFC 9110 section 13.1.1).
    """
    if not errors and after == before:
        return rosters.repeated(before.id, before)
    errors = [*errors, *rosters.version_errors(before, version)]
    if errors:
        return rosters.refused(before.id, *errors)
    return rosters.applied(before.id, tx.applications.save(before, after))


async def _read_editions(ids: Iterable[str], tx: Transaction) -> dict[str, Scheme]:
    """Return the edition of each application in the caller's scope, with one read of each."""
    by_name: dict[tuple[str, str | None], Scheme] = {}
    editions: dict[str, Scheme] = {}
    for application in (await tx.applications.many(ids)).values():
        name = application.scheme_ref, application.scheme_id
        if name not in by_name:
            by_name[name] = await usecases.read_edition(application, tx)
        editions[application.id] = by_name[name]
    return editions


async def _act(act: str, ids: Sequence[str], step: LineStep, tx: Transaction) -> RosterReport:
    """Run the steps; the report lies in the scope of the LSPs and assessors of the batch."""
    known = (await tx.applications.many(ids)).values()
    lsp_ids = [application.lsp_id for application in known]
    assessor_ids = [application.assessor_id for application in known if application.assessor_id]
    return await act_on_lines(act, lsp_ids, assessor_ids, ids, step, tx)
