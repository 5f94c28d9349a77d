"""Rules of tasks: what officers must look at and decide. Not here: what opens a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from chassis.errors import Conflict, NotFound, Refused
from chassis.ids import new_id
from chassis.tasks import Resolution, TaskKindRules, TaskState
from services.training.raw_cells import rules as raw_cells
from services.training.raw_cells.rules import RawCell
from services.training.settings import TEXTS

DUE_DAYS = 10
KEPT_APART = "kept_apart"


class TaskUnknown(NotFound):
    code = "item_unknown"
    title = TEXTS["errors.item_unknown"]


class ResolvedOtherwise(Conflict):
    title = TEXTS["errors.resolved_otherwise"]


class DecidedBySides(Refused):
    title = TEXTS["errors.decided_by_sides"]
    field = "resolution"


class TaskKind(StrEnum):
    """What an officer has to look at."""

    QUARANTINE = "QUARANTINE"
    MAPPING_BROKEN = "MAPPING_BROKEN"
    ROW_STOPPED = "ROW_STOPPED"
    MISSING = "MISSING"
    MERGE_PROPOSAL = "MERGE_PROPOSAL"
    CUSTODY_CONFLICT = "CUSTODY_CONFLICT"
    TRANSFERRED_AWAY = "TRANSFERRED_AWAY"
    RELEASE_WITHDRAWN = "RELEASE_WITHDRAWN"
    NEW_BLOCK = "NEW_BLOCK"
    MARK_CONFLICT = "MARK_CONFLICT"
    DECISION_NOT_APPLIED = "DECISION_NOT_APPLIED"


_MERGE_DECISION = "POST /v1/training-tasks/{task_id}/merge-decision"
_RELEASE = "POST /v1/snapshots/{snapshot_id}/release"
_STOPPED_ROWS = "POST /v1/snapshots/{snapshot_id}/stopped-rows"
_MAPPED_VALUES = "POST /v1/facilities/{facility_id}/mapped-values"
_ENROLMENT_END = "POST /v1/enrolments/{enrolment_id}/end"
_ATTENDANCE = "PATCH /v1/attendance/{attendance_id}"


def _kind(role: str, *resolutions: Resolution) -> TaskKindRules:
    return TaskKindRules(role=role, due_days=DUE_DAYS, resolutions=resolutions)


KINDS: Mapping[str, TaskKindRules] = {
    TaskKind.QUARANTINE: _kind(
        "registry_operator", Resolution("released", _RELEASE), Resolution("sent_again")
    ),
    TaskKind.MAPPING_BROKEN: _kind("registry_operator", Resolution("repaired")),
    TaskKind.ROW_STOPPED: _kind(
        "registry_operator",
        Resolution("row_taken", _STOPPED_ROWS),
        Resolution("term_mapped", _MAPPED_VALUES),
        Resolution("corrected_at_source"),
    ),
    TaskKind.MISSING: _kind(
        "registry_operator",
        Resolution("still_here"),
        Resolution("absent_with_permit"),
        Resolution("corrected_at_source"),
    ),
    TaskKind.MERGE_PROPOSAL: _kind(
        "registry_operator",
        Resolution("merged", _MERGE_DECISION),
        Resolution(KEPT_APART, _MERGE_DECISION),
    ),
    TaskKind.CUSTODY_CONFLICT: _kind(
        "registry_operator",
        Resolution("held_here"),
        Resolution("held_elsewhere"),
        Resolution("corrected_at_source"),
    ),
    TaskKind.TRANSFERRED_AWAY: _kind(
        "registry_operator", Resolution("transfer_confirmed"), Resolution("transfer_disputed")
    ),
    TaskKind.RELEASE_WITHDRAWN: _kind(
        "registry_operator", Resolution("release_confirmed"), Resolution("corrected_at_source")
    ),
    TaskKind.NEW_BLOCK: _kind(
        "training_officer",
        Resolution("may_continue"),
        Resolution("enrolment_ended", _ENROLMENT_END),
    ),
    TaskKind.MARK_CONFLICT: _kind(
        "training_officer", Resolution("mark_kept"), Resolution("mark_corrected", _ATTENDANCE)
    ),
    TaskKind.DECISION_NOT_APPLIED: _kind(
        "case_officer", Resolution("applied_by_hand"), Resolution("no_longer_needed")
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing that an officer must look at.

    While a task is open, the same matter (`dedupe_key`) opens no second one.
    """

    id: str
    version: int = 0
    kind: TaskKind
    facility_id: str
    facilities: frozenset[str]
    participant_ref: str = ""
    subject: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    dedupe_key: str
    role: str
    opened_at: datetime
    due_on: date
    state: TaskState = TaskState.OPEN
    resolution: str = ""
    reason: str = ""
    resolved_by: str = ""


def open_task(
    kind: TaskKind,
    facility_id: str,
    now: datetime,
    today: date,
    *,
    participant_ref: str = "",
    subject: str = "",
    facts: Mapping[str, str] | None = None,
    other_facilities: frozenset[str] = frozenset(),
) -> Task:
    """Return a new task, due in ten days.

    `subject` distinguishes tasks of one kind about one person. `other_facilities` see it too.
    """
    return Task(
        id=new_id(),
        kind=kind,
        facility_id=facility_id,
        facilities=other_facilities | {facility_id},
        participant_ref=participant_ref,
        subject=subject,
        facts=dict(facts or {}),
        dedupe_key=dedupe_key(kind, facility_id, participant_ref, subject),
        role=KINDS[kind].role,
        opened_at=now,
        due_on=today + timedelta(days=KINDS[kind].due_days),
    )


def dedupe_key(kind: TaskKind, facility_id: str, participant_ref: str, subject: str) -> str:
    """Return the key of the matter: kind, person (else facility) and subject.

    The subject of a merge proposal is the pair of people; their order and facility do not count.
    """
    if kind is TaskKind.MERGE_PROPOSAL:
        return f"{kind}/{subject}"
    return f"{kind}/{participant_ref or facility_id}/{subject}"


def acknowledge(task: Task) -> Task:
    """Return the task as seen by an officer; the same matter then opens a new one."""
    if task.state is not TaskState.OPEN:
        return task
    return replace(task, state=TaskState.ACKNOWLEDGED)


def resolve_by_officer(task: Task, resolution: str, reason: str, by: str) -> Task:
    """Return the task resolved by one officer.

    Raises DecidedBySides for a merge proposal (merges), ResolutionUnknown, ResolvedOtherwise.
    """
    if task.kind is TaskKind.MERGE_PROPOSAL and task.state is not TaskState.RESOLVED:
        raise DecidedBySides
    KINDS[task.kind].require_resolution(resolution)
    return resolve(task, resolution, reason, by)


def resolve(task: Task, resolution: str, reason: str, by: str) -> Task:
    """Return the task resolved; the same resolution again changes nothing.

    Raises ResolvedOtherwise when it has another resolution.
    """
    if task.state is not TaskState.RESOLVED:
        return replace(
            task, state=TaskState.RESOLVED, resolution=resolution, reason=reason, resolved_by=by
        )
    if task.resolution != resolution:
        raise ResolvedOtherwise
    return task


def add_raw_cell(task: Task, cell: RawCell | None) -> Task:
    """Return the task with what the row's cell says, while it is kept."""
    if cell is None or task.kind is not TaskKind.ROW_STOPPED:
        return task
    return replace(task, facts=task.facts | raw_cells.facts_of(cell))


def replace_participant_ref(task: Task, participant_ref: str) -> Task:
    """Return the task about the person under another reference."""
    key = dedupe_key(task.kind, task.facility_id, participant_ref, task.subject)
    return replace(task, participant_ref=participant_ref, dedupe_key=key)
