"""What is allowed: what a change of circumstance asks of a person, and how it is settled. Not here: what opens it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from chassis.errors import Conflict, NotFound
from chassis.ids import new_id

DUE_DAYS = 10


class TaskUnknown(NotFound):
    title = "Butir kotak masuk tidak ditemukan"

    code = "item_unknown"


class ResolvedOtherwise(Conflict):
    title = "Butir ini sudah diselesaikan dengan keputusan lain"


class TaskKind(StrEnum):
    """What has to be looked at."""

    QUARANTINE = "QUARANTINE"
    ROW_STOPPED = "ROW_STOPPED"
    MISSING = "MISSING"
    MERGE_PROPOSAL = "MERGE_PROPOSAL"
    CUSTODY_CONFLICT = "CUSTODY_CONFLICT"
    RELEASE_WITHDRAWN = "RELEASE_WITHDRAWN"
    NEW_BLOCK = "NEW_BLOCK"
    MARK_CONFLICT = "MARK_CONFLICT"
    DECISION_NOT_APPLIED = "DECISION_NOT_APPLIED"


ROLE_BY_KIND: Mapping[TaskKind, str] = {
    TaskKind.QUARANTINE: "registry_operator",
    TaskKind.ROW_STOPPED: "registry_operator",
    TaskKind.MISSING: "registry_operator",
    TaskKind.MERGE_PROPOSAL: "registry_operator",
    TaskKind.CUSTODY_CONFLICT: "registry_operator",
    TaskKind.RELEASE_WITHDRAWN: "registry_operator",
    TaskKind.NEW_BLOCK: "training_officer",
    TaskKind.MARK_CONFLICT: "training_officer",
    TaskKind.DECISION_NOT_APPLIED: "case_officer",
}


class TaskState(StrEnum):
    """How far it is."""

    OPEN = "OPEN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    RESOLVED = "RESOLVED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One change that a person must look at. While it is open, the same again (`dedupe_key`) opens no second one."""

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
    """A new item, due in ten days. `subject` tells it from others of its kind about the same person; `also` are other facilities it concerns."""
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
    """What makes two items the same: the person and the subject, else the facility and the subject; of two people the pair."""
    if kind is TaskKind.MERGE_PROPOSAL:
        return f"{kind}/{subject}"
    return f"{kind}/{participant_ref or facility_id}/{subject}"


def acknowledge(item: Task) -> Task:
    """Somebody has seen it; a new change opens a new one from now on."""
    return replace(item, state=TaskState.ACKNOWLEDGED) if item.state is TaskState.OPEN else item


def resolve(item: Task, resolution: str, reason: str, by: str) -> Task:
    """Settled. The same resolution again is no change; another one raises ResolvedOtherwise."""
    if item.state is TaskState.RESOLVED:
        if item.resolution != resolution:
            raise ResolvedOtherwise
        return item
    return replace(
        item, state=TaskState.RESOLVED, resolution=resolution, reason=reason, resolved_by=by
    )


def replace_participant_ref(item: Task, participant_ref: str) -> Task:
    """The item after its person has another reference."""
    return replace(
        item,
        participant_ref=participant_ref,
        dedupe_key=dedupe_key(item.kind, item.facility_id, participant_ref, item.subject),
    )
