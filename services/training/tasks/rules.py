"""Rules of tasks: what officers must look at and decide. Not here: what opens a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from chassis.errors import Conflict, NotFound, Refused
from chassis.ids import new_id
from services.training.raw_cells import rules as raw_cells
from services.training.raw_cells.rules import RawCell
from services.training.settings import TEXTS

DUE_DAYS = 10
KEPT_APART = "kept_apart"


class TaskUnknown(NotFound):
    title = TEXTS["errors.item_unknown"]

    code = "item_unknown"


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


ROLE_BY_KIND: Mapping[TaskKind, str] = {
    TaskKind.QUARANTINE: "registry_operator",
    TaskKind.MAPPING_BROKEN: "registry_operator",
    TaskKind.ROW_STOPPED: "registry_operator",
    TaskKind.MISSING: "registry_operator",
    TaskKind.MERGE_PROPOSAL: "registry_operator",
    TaskKind.CUSTODY_CONFLICT: "registry_operator",
    TaskKind.TRANSFERRED_AWAY: "registry_operator",
    TaskKind.RELEASE_WITHDRAWN: "registry_operator",
    TaskKind.NEW_BLOCK: "training_officer",
    TaskKind.MARK_CONFLICT: "training_officer",
    TaskKind.DECISION_NOT_APPLIED: "case_officer",
}


class TaskState(StrEnum):
    """Open, seen by an officer, or resolved."""

    OPEN = "OPEN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    RESOLVED = "RESOLVED"


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
        role=ROLE_BY_KIND[kind],
        opened_at=now,
        due_on=today + timedelta(days=DUE_DAYS),
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

    Raises DecidedBySides for a merge proposal (merges), ResolvedOtherwise.
    """
    if task.kind is TaskKind.MERGE_PROPOSAL and task.state is not TaskState.RESOLVED:
        raise DecidedBySides
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
