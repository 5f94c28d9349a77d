"""What is allowed: the reasons for and against a participant in a class. Reasons with their facts, never a bare yes or no; an unread fact never counts as met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

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
from services.training.tpp.rules import Standings, find_objection


class NotSuitable(Refused):
    """`reasons` are the codes that block."""

    title = "Belum memenuhi syarat"


class OverrideNeeded(Refused):
    """`reasons` are the codes that warn."""

    title = "Ada peringatan; jelaskan mengapa peserta tetap diterima"
    field = "override"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuitabilityReason:
    """One reason: what it does, the facts it rests on, where they come from and as of when."""

    code: str
    severity: Severity
    facts: dict[str, str] = field(default_factory=dict)
    source: str
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SuitabilityCase:
    """All that the rules look at for one person and one class."""

    person: Participant
    training_class: TrainingClass
    programme: Programme
    standings: Standings | None
    is_enrolled: bool
    has_completed: bool

    @property
    def edition(self) -> Edition:
        """What the class teaches."""
        return self.programme.get_edition(self.training_class.edition)


def reasons_against_enrolment(
    case: SuitabilityCase, now: datetime, today: date
) -> list[SuitabilityReason]:
    """Every reason, in a fixed order; pure, so that one candidate, a list and the enrolment itself get the same answer."""
    rule = case.edition.eligibility
    last = case.person.last_stay
    custody_as_of = last.as_of if last else now
    found = [
        _build_reason(code, rule, facts, "snapshot", custody_as_of)
        for code, facts in _custody_reasons(case)
    ]
    found += [
        _build_reason(code, rule, facts, "tpp", now) for code, facts in _tpp_reasons(case, today)
    ]
    if case.is_enrolled:
        found.append(_build_reason("ALREADY_ENROLLED", rule, {}, "enrolments", now))
    if case.has_completed:
        found.append(_build_reason("ALREADY_COMPLETED", rule, {}, "enrolments", now))
    return found


def require_suitable(reasons: Sequence[SuitabilityReason], override: str) -> None:
    """Return when the person may be enrolled; NotSuitable on a block, OverrideNeeded on a warning without a text."""
    if blocks := [reason.code for reason in reasons if reason.severity is Severity.BLOCK]:
        raise NotSuitable(reasons=blocks)
    if not override and (
        warnings := [reason.code for reason in reasons if reason.severity is Severity.WARN]
    ):
        raise OverrideNeeded(reasons=warnings)


def _custody_reasons(case: SuitabilityCase) -> list[tuple[str, Mapping[str, str]]]:
    person, run = case.person, case.training_class
    found: list[tuple[str, Mapping[str, str]]] = []
    if not person.is_present:
        found.append(("NOT_PRESENT", {"state": person.state}))
    if person.facility_id != run.facility_id:
        found.append(("FACILITY_DIFFERS", {"facility_id": person.facility_id}))
    if person.expected_release is None:
        found.append(("FACT_UNKNOWN", {"rule": "RELEASE_BEFORE_CLASS_END"}))
    elif person.expected_release < run.ends_on:
        found.append(("RELEASE_BEFORE_CLASS_END", {"class_ends_on": run.ends_on.isoformat()}))
    return found


def _tpp_reasons(case: SuitabilityCase, today: date) -> list[tuple[str, Mapping[str, str]]]:
    if not case.edition.eligibility.tpp_required:
        return []
    code = find_objection(
        case.standings,
        facility_id=case.training_class.facility_id,
        programme_id=case.training_class.programme_id,
        branch=case.programme.branch,
        class_id=case.training_class.id,
        today=today,
    )
    return [(code, {})] if code else []


def _build_reason(
    code: str, rule: EligibilityRule, facts: Mapping[str, str], source: str, as_of: datetime
) -> SuitabilityReason:
    """A reason with the severity the rule gives it; a fact that is not known has that of the rule which wants it."""
    return SuitabilityReason(
        code=code,
        severity=severity_of(rule, facts["rule"] if code == "FACT_UNKNOWN" else code),
        facts=dict(facts),
        source=source,
        as_of=as_of,
    )
