"""Rules of decisions of the TPP (sidang TPP), and of the verdicts in force for a person.

A decision never changes; a later hearing supersedes it. Not here: applications and work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from chassis.caller import Actor
from chassis.errors import Conflict, NotFound, Refused
from chassis.messaging.events import Event
from services.training.classes.rules import TrainingClass
from services.training.events import WorkEligibilityDecided
from services.training.programmes.rules import Branch, Programme
from services.training.settings import TEXTS

MAX_HEARING_AGE = timedelta(days=2 * 366)
MAX_VALIDITY = timedelta(days=10 * 366)


class DecisionUnknown(NotFound):
    title = TEXTS["errors.decision_unknown"]


class ReasonNeeded(Refused):
    title = TEXTS["errors.reason_needed"]
    field = "results"


class ParticipantRepeated(Refused):
    title = TEXTS["errors.participant_repeated"]
    field = "results"


class ParticipantsUnknown(Refused):
    """`refs` are the references of people whom the facility does not hold."""

    title = TEXTS["errors.participants_unknown"]
    field = "results"


class HearingInFuture(Refused):
    title = TEXTS["errors.hearing_in_future"]
    field = "hearing_on"


class HearingTooOld(Refused):
    """`earliest` is the first day that is accepted."""

    title = TEXTS["errors.hearing_too_old"]
    field = "hearing_on"


class ValidityWrong(Refused):
    """`earliest` and `latest` are the days between which the decision can expire."""

    title = TEXTS["errors.validity_wrong"]
    field = "valid_until"


class ScopeUnknown(Refused):
    title = TEXTS["errors.scope_unknown"]
    field = "scope_ref"


class ApprovalNotNeeded(Conflict):
    title = TEXTS["errors.approval_not_needed"]


class SamePersonApproves(Refused):
    title = TEXTS["errors.same_person_approves"]


class DecisionScope(StrEnum):
    """What a decision is about.

    Its `scope_ref` is the programme, the branch or the class; it is empty for work.
    """

    PROGRAMME = "programme"
    BRANCH = "branch"
    CLASS = "class"
    WORK = "work"


class Verdict(StrEnum):
    """What the TPP says about one person."""

    RECOMMENDED = "RECOMMENDED"
    NOT_RECOMMENDED = "NOT_RECOMMENDED"
    DEFERRED = "DEFERRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionResult:
    """The verdict on one person."""

    participant_ref: str
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The decision of one hearing.

    It is in force at once, or with the head's approval where the facility demands that.
    """

    id: str
    version: int = 0
    facility_id: str
    hearing_on: date
    scope: DecisionScope
    scope_ref: str
    results: tuple[DecisionResult, ...]
    valid_until: date | None = None
    document_ref: str
    recorded_by: str
    recorded_for: str = ""
    head_needed: bool
    head_approved_by: str = ""
    head_approved_at: datetime | None = None
    not_applied: tuple[str, ...] = ()

    @property
    def is_in_force(self) -> bool:
        """Whether the decision needs no approval any more."""
        return not self.head_needed or bool(self.head_approved_by)

    def decides_on(self, today: date) -> bool:
        """Return whether the decision counts that day: in force and not past `valid_until`."""
        is_expired = self.valid_until is not None and self.valid_until < today
        return self.is_in_force and not is_expired


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One verdict of one decision, as it applies to a person."""

    decision_id: str
    facility_id: str
    scope: DecisionScope
    scope_ref: str
    verdict: Verdict
    hearing_on: date
    valid_until: date | None
    in_force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standings:
    """All verdicts that apply to one person; the id is the person's reference.

    It is a document of its own, so that a use case whose rule depends on it can hold it.
    """

    id: str
    version: int = 0
    facility_id: str
    entries: tuple[Standing, ...] = ()


def record(decision: Decision, today: date) -> Decision:
    """Return the decision unchanged.

    Raises HearingInFuture, HearingTooOld, ValidityWrong, ReasonNeeded, ParticipantRepeated.
    """
    if decision.hearing_on > today:
        raise HearingInFuture
    earliest = today - MAX_HEARING_AGE
    if decision.hearing_on < earliest:
        raise HearingTooOld(earliest=earliest.isoformat())
    latest = decision.hearing_on + MAX_VALIDITY
    if decision.valid_until and not decision.hearing_on <= decision.valid_until <= latest:
        raise ValidityWrong(earliest=decision.hearing_on.isoformat(), latest=latest.isoformat())
    for result in decision.results:
        if result.verdict is not Verdict.RECOMMENDED and not result.reason:
            raise ReasonNeeded
    refs = [result.participant_ref for result in decision.results]
    if len(set(refs)) != len(refs):
        raise ParticipantRepeated
    return decision


def require_scope(
    decision: Decision, programme: Programme | None, training_class: TrainingClass | None
) -> None:
    """Raise ScopeUnknown unless the decision is about something that exists in its facility.

    `programme` and `training_class` are what the reference names as such, None if nothing.
    """
    match decision.scope:
        case DecisionScope.PROGRAMME:
            is_known = programme is not None
        case DecisionScope.BRANCH:
            is_known = decision.scope_ref in set(Branch)
        case DecisionScope.CLASS:
            is_known = (
                training_class is not None and training_class.facility_id == decision.facility_id
            )
        case DecisionScope.WORK:
            is_known = not decision.scope_ref
    if not is_known:
        raise ScopeUnknown


def require_known_participants(
    results: Sequence[DecisionResult], known_refs: Collection[str]
) -> None:
    """Raise ParticipantsUnknown unless the facility holds everybody whom the results name."""
    unknown = [
        result.participant_ref for result in results if result.participant_ref not in known_refs
    ]
    if unknown:
        raise ParticipantsUnknown(refs=unknown)


def approve(decision: Decision, by: Actor, now: datetime) -> Decision:
    """Return the decision with the head's approval.

    Raises ApprovalNotNeeded when it is in force, SamePersonApproves when approver and recorder are
    one person or act for each other.
    """
    if decision.is_in_force:
        raise ApprovalNotNeeded
    recorder = Actor(decision.recorded_by, decision.recorded_for)
    if by.conflicts_with(recorder):
        raise SamePersonApproves
    return replace(decision, head_approved_by=by.by, head_approved_at=now)


def add_verdict(standings: Standings, decision: Decision, result: DecisionResult) -> Standings:
    """Return the standings with this verdict.

    They keep the latest verdict in force of each scope, and every verdict that waits for approval.
    """
    entry = Standing(
        decision_id=decision.id,
        facility_id=decision.facility_id,
        scope=decision.scope,
        scope_ref=decision.scope_ref,
        verdict=result.verdict,
        hearing_on=decision.hearing_on,
        valid_until=decision.valid_until,
        in_force=decision.is_in_force,
    )
    others = [known for known in standings.entries if known.decision_id != decision.id]
    return replace(standings, entries=_keep_latest([*others, entry]))


def merge_standings(kept: Standings, other: Standings) -> Standings:
    """Return the standings of two records that became one person."""
    return replace(kept, entries=_keep_latest([*kept.entries, *other.entries]))


def find_objection(
    standings: Standings | None, training_class: TrainingClass, branch: str, today: date
) -> str:
    """Return the code of the objection to this person in this class; empty for none."""
    entries = _find_covering(standings, training_class, branch)
    in_force = [entry for entry in entries if entry.in_force]
    if not in_force:
        return "TPP_NOT_APPROVED" if entries else "TPP_MISSING"
    latest = max(in_force, key=_hearing_order)
    if latest.verdict is not Verdict.RECOMMENDED:
        return "TPP_NOT_RECOMMENDED"
    if latest.valid_until is not None and latest.valid_until < today:
        return "TPP_EXPIRED"
    return ""


def find_recommendation(
    standings: Standings | None, training_class: TrainingClass, branch: str, today: date
) -> str:
    """Return the id of the decision that recommends this person for this class now.

    Empty unless the latest covering verdict in force is a recommendation that has not expired.
    """
    if find_objection(standings, training_class, branch, today):
        return ""
    entries = _find_covering(standings, training_class, branch)
    in_force = [entry for entry in entries if entry.in_force]
    return max(in_force, key=_hearing_order).decision_id


def _find_covering(
    standings: Standings | None, training_class: TrainingClass, branch: str
) -> list[Standing]:
    covering = {
        (DecisionScope.PROGRAMME, training_class.programme_id),
        (DecisionScope.BRANCH, branch),
        (DecisionScope.CLASS, training_class.id),
    }
    return [
        entry
        for entry in (standings.entries if standings else ())
        if (entry.scope, entry.scope_ref) in covering
        and entry.facility_id == training_class.facility_id
    ]


def build_work_eligibility_events(decision: Decision, today: date) -> list[Event]:
    """Return an event for each person whose work is decided; a deferral gives none."""
    if decision.scope is not DecisionScope.WORK or not decision.decides_on(today):
        return []
    return [
        WorkEligibilityDecided(
            participant_ref=result.participant_ref,
            facility_id=decision.facility_id,
            eligible=result.verdict is Verdict.RECOMMENDED,
            decided_on=decision.hearing_on,
            valid_until=decision.valid_until,
        )
        for result in decision.results
        if result.verdict is not Verdict.DEFERRED
    ]


def _keep_latest(entries: Iterable[Standing]) -> tuple[Standing, ...]:
    newest: dict[tuple[str, str, str], Standing] = {}
    waiting: list[Standing] = []
    for entry in sorted(entries, key=_hearing_order):
        if entry.in_force:
            newest[entry.facility_id, entry.scope, entry.scope_ref] = entry
        else:
            waiting.append(entry)
    return (*newest.values(), *waiting)


def _hearing_order(entry: Standing) -> tuple[date, str]:
    return entry.hearing_on, entry.decision_id
