"""Positions: the next offset of each partition that a consumer reads.

Not here: when a position is stored or reset (consumer).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chassis.messaging.kafka_ports import Partition, Record


@dataclass(slots=True)
class Position:
    """The position of one partition.

    `stored` is the offset in MongoDB, written at `stored_at` (loop time). `next` is the next offset
    to read. Only events that no handler reads lie between the two.
    """

    stored: int | None
    next: int  # -1 until the beginning of the partition is known
    stored_at: float
    behind_since: float = 0.0
    committed: int = -1  # to the broker

    def advance(self, end: int, now: float, *, is_stored: bool) -> None:
        """Move to the offset `end`; `is_stored` says whether a transaction has stored it."""
        self.next = max(self.next, end)
        self.behind_since = 0.0
        if is_stored:
            self.stored = self.next
            self.stored_at = now

    def note_lag(self, lag: int, now: float) -> None:
        """Record since when the partition has a lag."""
        if not lag:
            self.behind_since = 0.0
        elif not self.behind_since:
            self.behind_since = now


def position_id(service: str, partition: Partition) -> str:
    """Return the id of the row in `offsets`."""
    return f"{service}/{partition.topic}/{partition.number}"


def ends_of(records: Iterable[Record]) -> dict[Partition, int]:
    """Return the offset after the last of these records, by partition."""
    last_offsets = {(record.topic, record.partition): record.offset for record in records}
    return {Partition(*partition): offset + 1 for partition, offset in last_offsets.items()}
