"""Rules of FR.APL.01 and FR.APL.02, which may change until the assignment.

Not here: what an assignment needs of them (rules).
"""

from __future__ import annotations

from dataclasses import replace

from chassis.errors import DomainError, Refused, raise_first
from services.certification.applications.rules import (
    Application,
    ApplicationForm,
    ApplicationState,
    SelfAssessment,
    UnitsDiffer,
    errors_of_state,
)
from services.certification.schemes.rules import Scheme
from services.certification.settings import TEXTS


class FormsMissing(Refused):
    title = TEXTS["errors.forms_missing"]


def errors_against_forms(
    application: Application,
    newest: Scheme,
    *,
    form: ApplicationForm | None = None,
    self_assessment: SelfAssessment | None = None,
) -> list[DomainError]:
    """Return every error against these forms; empty means allowed.

    FR.APL.02 names units of the newest edition only.
    """
    errors = errors_of_state(application, ApplicationState.OPEN)
    if form is None and self_assessment is None:
        errors.append(FormsMissing())
    if self_assessment is not None and not self_assessment.units.keys() <= newest.unit_codes:
        errors.append(UnitsDiffer())
    return errors


def submit_forms(
    application: Application,
    newest: Scheme,
    *,
    form: ApplicationForm | None = None,
    self_assessment: SelfAssessment | None = None,
) -> Application:
    """Store the forms that are given. Raises the first error against them."""
    raise_first(
        errors_against_forms(application, newest, form=form, self_assessment=self_assessment)
    )
    return replace(
        application,
        form=form or application.form,
        self_assessment=self_assessment or application.self_assessment,
    )
