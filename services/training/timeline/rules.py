"""Timeline entries, sorted by when they happened, whatever the order of arrival.

Not here: which events become entries (inbound).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event about a participant or a class; its id is the event's.

    `order` sorts by moment, then by the event's sequence within its key.
    """

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
    """Return a text that sorts as (occurred_at, sequence)."""
    moment = occurred_at.astimezone(UTC).isoformat(timespec="milliseconds")
    return f"{moment}/{sequence:012d}"
