"""Rules of the names of candidates on the day of their assessment.

Source: certification section 8. Not here: the name that is printed on a certificate (rules).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

from services.certification.applications.rules import Application, ApplicationState
from services.certification.reasons import Reason

_ASSESSED_STATES = frozenset({ApplicationState.ASSIGNED, ApplicationState.RECOMMENDED})
_DAYS_BEFORE = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateName:
    """The name of one candidate, or why it is not shown."""

    application_id: str
    participant_ref: str = ""
    name: str | None = None
    reasons: tuple[Reason, ...] = ()


def reasons_against_showing_name(application: Application | None, today: date) -> list[Reason]:
    """Return why a candidate's name is not shown; empty means shown.

    It is shown on the day of the assessment and on the day before.
    """
    if application is None:
        return [Reason.APPLICATION_UNKNOWN]
    assignment = application.assignment
    if assignment is None or application.state not in _ASSESSED_STATES:
        return [Reason.NAME_NOT_SHOWN_TODAY]
    if not assignment.held_on - _DAYS_BEFORE <= today <= assignment.held_on:
        return [Reason.NAME_NOT_SHOWN_TODAY]
    return []


def add_name(line: CandidateName, name: str | None) -> CandidateName:
    """Return the line with the name that training gave, or with the reason that it gave none."""
    if line.reasons:
        return line
    if name is None:
        return replace(line, reasons=(Reason.NAME_UNAVAILABLE,))
    return replace(line, name=name)
