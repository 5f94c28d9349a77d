"""Rules of suitability: the reasons against a participant in a class, each with its facts.

An unknown fact is a reason of its own. Not here: the seat itself (enrolments).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeAlias

from chassis.errors import Refused
from services.training.classes.rules import TrainingClass
from services.training.participants.rules import Participant
from services.training.programmes.rules import (
    Edition,
    EligibilityRule,
    Programme,
    Severity,
    severity_of,
)
from services.training.settings import TEXTS
from services.training.tpp.rules import Standings, find_objection

Facts: TypeAlias = Mapping[str, str]


class NotSuitable(Refused):
    """`reasons` are the codes of the reasons that block."""

    title = TEXTS["errors.not_suitable"]


class OverrideNeeded(Refused):
    """`reasons` are the codes of the reasons that warn."""

    title = TEXTS["errors.override_needed"]
    field = "override"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuitabilityReason:
    """One reason: its severity, the facts behind it, their source and their moment."""

    code: str
    severity: Severity
    facts: dict[str, str] = field(default_factory=dict)
    source: str
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SuitabilityCase:
    """Everything that the rules read about one person and one class."""

    person: Participant
    training_class: TrainingClass
    programme: Programme
    standings: Standings | None
    is_enrolled: bool
    has_completed: bool

    @property
    def edition(self) -> Edition:
        """The edition that the class is bound to."""
        return self.programme.get_edition(self.training_class.edition)


def reasons_against_enrolment(
    case: SuitabilityCase, now: datetime, today: date
) -> list[SuitabilityReason]:
    """Return every reason against the enrolment, in a fixed order.

    The suitability report, the enrolment and the check of changed details all use this function.
    """
    rule = case.edition.eligibility
    last = case.person.last_stay
    custody_as_of = last.as_of if last else now
    reasons = [
        _build_reason(code, rule, facts, "snapshot", custody_as_of)
        for code, facts in _custody_reasons(case)
    ]
    objection = _find_tpp_objection(case, today)
    if objection:
        reasons.append(_build_reason(objection, rule, {}, "tpp", now))
    if case.is_enrolled:
        reasons.append(_build_reason("ALREADY_ENROLLED", rule, {}, "enrolments", now))
    if case.has_completed:
        reasons.append(_build_reason("ALREADY_COMPLETED", rule, {}, "enrolments", now))
    return reasons


def require_suitable(reasons: Sequence[SuitabilityReason], override: str) -> None:
    """Raise NotSuitable on a block, OverrideNeeded on a warning without an override text."""
    blocks = [reason.code for reason in reasons if reason.severity is Severity.BLOCK]
    if blocks:
        raise NotSuitable(reasons=blocks)
    warnings = [reason.code for reason in reasons if reason.severity is Severity.WARN]
    if warnings and not override:
        raise OverrideNeeded(reasons=warnings)


def _custody_reasons(case: SuitabilityCase) -> list[tuple[str, Facts]]:
    person = case.person
    training_class = case.training_class
    reasons: list[tuple[str, Facts]] = []
    if not person.is_present:
        reasons.append(("NOT_PRESENT", {"state": person.state}))
    if person.facility_id != training_class.facility_id:
        reasons.append(("FACILITY_DIFFERS", {"facility_id": person.facility_id}))
    if person.expected_release is None:
        reasons.append(("FACT_UNKNOWN", {"rule": "RELEASE_BEFORE_CLASS_END"}))
    elif person.expected_release < training_class.ends_on:
        facts = {"class_ends_on": training_class.ends_on.isoformat()}
        reasons.append(("RELEASE_BEFORE_CLASS_END", facts))
    return reasons


def _find_tpp_objection(case: SuitabilityCase, today: date) -> str:
    if not case.edition.eligibility.tpp_required:
        return ""
    return find_objection(case.standings, case.training_class, case.programme.branch, today)


def _build_reason(
    code: str, rule: EligibilityRule, facts: Facts, source: str, as_of: datetime
) -> SuitabilityReason:
    """Return a reason with the severity that the programme gives it.

    An unknown fact has the severity of the reason that needs it.
    """
    severity_code = facts["rule"] if code == "FACT_UNKNOWN" else code
    return SuitabilityReason(
        code=code,
        severity=severity_of(rule, severity_code),
        facts=dict(facts),
        source=source,
        as_of=as_of,
    )
