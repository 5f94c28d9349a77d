"""What is allowed: a subject's story, built from events alone, in one order however the events arrive."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event in the life of a participant or a class; its id is the event's. `order` sorts by moment, then by the event's place in its key's order."""

    id: str
    version: int = 0
    subject_ref: str
    kind: str
    facts: dict[str, str] = field(default_factory=dict)
    occurred_at: datetime
    recorded_at: datetime
    order: str
    source: str
    actor_role: str = ""
    actor_ref: str = ""
    correlation_id: str = ""


def sort_key(occurred_at: datetime, sequence: int) -> str:
    """Text that sorts as (occurred_at, sequence)."""
    return f"{occurred_at.astimezone(UTC).isoformat(timespec='milliseconds')}/{sequence:012d}"
