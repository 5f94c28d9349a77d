"""What is allowed: decisions of the observation team (sidang TPP) and what they are worth. A decision never changes; a later hearing supersedes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.caller import Actor
from chassis.errors import Conflict, NotFound, Refused
from chassis.messaging.events import Event
from services.training.events import WorkEligibilityDecided


class DecisionUnknown(NotFound):
    title = "Keputusan sidang TPP tidak ditemukan"


class ReasonNeeded(Refused):
    title = "Alasan wajib diisi bila tidak direkomendasikan atau ditunda"
    field = "results"


class ParticipantRepeated(Refused):
    title = "Satu warga binaan hanya boleh tercantum sekali dalam satu keputusan"
    field = "results"


class ParticipantsUnknown(Refused):
    """`refs` are the references that the facility does not have."""

    title = "Ada warga binaan yang tidak berada di UPT ini"
    field = "results"


class HearingInFuture(Refused):
    title = "Tanggal sidang tidak boleh di masa depan"
    field = "hearing_on"


class ApprovalNotNeeded(Conflict):
    title = "Keputusan ini tidak menunggu persetujuan Kalapas"


class SamePersonApproves(Refused):
    title = "Keputusan harus disetujui oleh orang lain, bukan oleh yang mencatatnya"


class Scope(StrEnum):
    """What a decision speaks of; its `scope_ref` is the programme, the branch or the class, and empty for work."""

    PROGRAMME = "programme"
    BRANCH = "branch"
    CLASS = "class"
    WORK = "work"


class Verdict(StrEnum):
    """What the team says of one person."""

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
    """One hearing's decision. It is in force at once, or when the head has approved it where the facility demands that."""

    id: str
    version: int = 0
    facility_id: str
    hearing_on: date
    scope: Scope
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
        """Whether it may be relied on."""
        return not self.head_needed or bool(self.head_approved_by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One verdict of one decision, as it stands for a person."""

    decision_id: str
    facility_id: str
    scope: Scope
    scope_ref: str
    verdict: Verdict
    hearing_on: date
    valid_until: date | None
    in_force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standings:
    """All that the teams have said of one person; its id is the person's reference, so that a rule can hold it."""

    id: str
    version: int = 0
    facility_id: str
    entries: tuple[Standing, ...] = ()


def record(decision: Decision, today: date) -> Decision:
    """The decision as it may be recorded; HearingInFuture, ReasonNeeded or ParticipantRepeated otherwise."""
    if decision.hearing_on > today:
        raise HearingInFuture
    if any(
        result.verdict is not Verdict.RECOMMENDED and not result.reason
        for result in decision.results
    ):
        raise ReasonNeeded
    refs = [result.participant_ref for result in decision.results]
    if len(set(refs)) != len(refs):
        raise ParticipantRepeated
    return decision


def approve(decision: Decision, by: Actor, now: datetime) -> Decision:
    """The decision with the head's approval; ApprovalNotNeeded when it has none to wait for, SamePersonApproves where the hand that recorded it would approve it."""
    if decision.is_in_force:
        raise ApprovalNotNeeded
    if by.conflicts_with(Actor(decision.recorded_by, decision.recorded_for)):
        raise SamePersonApproves
    return replace(decision, head_approved_by=by.by, head_approved_at=now)


def add_verdict(standings: Standings, decision: Decision, result: DecisionResult) -> Standings:
    """The standings with this verdict; of one scope only the latest hearing in force counts, and what waits for approval beside it."""
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
    return replace(
        standings,
        entries=_keep_latest(
            (*(known for known in standings.entries if known.decision_id != decision.id), entry)
        ),
    )


def merge_standings(one: Standings, other: Standings) -> Standings:
    """The standings of two records that turned out to be one person."""
    return replace(one, entries=_keep_latest((*one.entries, *other.entries)))


def find_objection(
    standings: Standings | None,
    *,
    facility_id: str,
    programme_id: str,
    branch: str,
    class_id: str,
    today: date,
) -> str:
    """Why the team's word does not let the person into this class; empty when it does."""
    covering = {(Scope.PROGRAMME, programme_id), (Scope.BRANCH, branch), (Scope.CLASS, class_id)}
    entries = [
        entry
        for entry in (standings.entries if standings else ())
        if (entry.scope, entry.scope_ref) in covering and entry.facility_id == facility_id
    ]
    in_force = [entry for entry in entries if entry.in_force]
    if not in_force:
        return "TPP_NOT_APPROVED" if entries else "TPP_MISSING"
    latest = max(in_force, key=lambda entry: (entry.hearing_on, entry.decision_id))
    if latest.verdict is not Verdict.RECOMMENDED:
        return "TPP_NOT_RECOMMENDED"
    if latest.valid_until is not None and latest.valid_until < today:
        return "TPP_EXPIRED"
    return ""


def build_work_eligibility_events(decision: Decision, result: DecisionResult) -> list[Event]:
    """What is told of a decision on work; a deferral decides nothing."""
    if (
        decision.scope is not Scope.WORK
        or not decision.is_in_force
        or result.verdict is Verdict.DEFERRED
    ):
        return []
    return [
        WorkEligibilityDecided(
            participant_ref=result.participant_ref,
            facility_id=decision.facility_id,
            eligible=result.verdict is Verdict.RECOMMENDED,
            decided_on=decision.hearing_on,
            valid_until=decision.valid_until,
        )
    ]


def _keep_latest(entries: Iterable[Standing]) -> tuple[Standing, ...]:
    newest: dict[tuple[str, str, str], Standing] = {}
    waiting: list[Standing] = []
    for entry in sorted(entries, key=lambda entry: (entry.hearing_on, entry.decision_id)):
        if entry.in_force:
            newest[entry.facility_id, entry.scope, entry.scope_ref] = entry
        else:
            waiting.append(entry)
    return (*newest.values(), *waiting)
