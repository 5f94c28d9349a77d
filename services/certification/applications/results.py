"""Rules of the results of units, which the assigned assessor records.

Not here: the recommendation that they allow (rules).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from chassis.errors import DomainError, Refused, raise_first
from services.certification.applications.rules import (
    Application,
    ApplicationState,
    CompetencyResult,
    UnitsDiffer,
    errors_of_state,
)
from services.certification.reasons import Reason, RulesBroken
from services.certification.schemes.rules import Scheme
from services.certification.settings import TEXTS


class NotYetHeld(Refused):
    title = TEXTS["errors.not_yet_held"]


def errors_against_results(
    application: Application, scheme: Scheme, results: Mapping[str, CompetencyResult], today: date
) -> list[DomainError]:
    """Return every error against these results; empty means allowed.

    They are recorded after the assessor's declaration, from the day of the assessment on, and for
    units of the frozen edition.
    """
    errors = errors_of_state(application, ApplicationState.ASSIGNED)
    assignment = application.assignment
    if assignment is not None and not assignment.conflict_free:
        errors.append(RulesBroken([Reason.ASSESSOR_CONFLICT]))
    if assignment is not None and today < assignment.held_on:
        errors.append(NotYetHeld())
    if not results.keys() <= scheme.unit_codes:
        errors.append(UnitsDiffer())
    return errors


def record_results(
    application: Application, scheme: Scheme, results: Mapping[str, CompetencyResult], today: date
) -> Application:
    """Record results of units; equal ones change nothing. Raises the first error against them."""
    raise_first(errors_against_results(application, scheme, results, today))
    return replace(application, results=application.results | dict(results))
