"""Rules of the feed: its order, its cursors, and how far back it reaches.

A change is written in the transaction that changes its subject, without a number. One leased job
numbers the committed changes. A number is therefore never assigned after a reader could have seen a
higher one, and a reader that moves by number skips nothing.
Not here: who may read which entry (visibility).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chassis.errors import DomainError, Malformed
from services.manpower.settings import TEXTS
from services.manpower.visibility.rules import Subject

RETENTION = timedelta(days=180)
MAX_WAIT_SECONDS = 25


class FeedCursorTooOld(DomainError):
    """Entries after the cursor are no longer kept.

    The reader takes the snapshot and continues from the cursor at its end.
    """

    status = 410
    title = TEXTS["errors.feed_cursor_too_old"]


class FromTimeOrCursor(Malformed):
    """A feed is read from a cursor or from a moment, not from both."""

    title = TEXTS["errors.from_time_or_cursor"]
    field = "from_time"


class ChangeType(StrEnum):
    """The kind of change; the reader follows `href` for the content."""

    CANDIDATE_SHARED = "candidate.shared"
    CANDIDATE_CHANGED = "candidate.changed"
    CANDIDATE_WITHDRAWN = "candidate.withdrawn"
    APPLICATION_CHANGED = "application.status_changed"
    APPLICATION_WITHDRAWN = "application.withdrawn"
    PLACEMENT_CONFIRMED = "placement.confirmed"
    PLACEMENT_WITHDRAWN = "placement.withdrawn"


TOMBSTONES = {
    Subject.CANDIDATE: ChangeType.CANDIDATE_WITHDRAWN,
    Subject.APPLICATION: ChangeType.APPLICATION_WITHDRAWN,
    Subject.PLACEMENT: ChangeType.PLACEMENT_WITHDRAWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedChange:
    """A committed change that waits for its number.

    `audiences` are those that may see the change at that moment.
    """

    id: str
    version: int = 0
    type: ChangeType
    occurred_at: datetime
    subject: Subject
    subject_ref: str
    subject_version: int
    audiences: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """An entry of the feed log: a change with its number."""

    id: str
    version: int = 0
    seq: int
    type: ChangeType
    occurred_at: datetime
    subject: Subject
    subject_ref: str
    subject_version: int
    audiences: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedHead:
    """The state of the log.

    `last` is the highest number given; entries up to `dropped` are no longer kept.
    """

    id: str
    version: int = 0
    last: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class SnapshotCursor:
    """The progress of a snapshot.

    `position` is that of the feed when the snapshot began, `subject` the kind being listed,
    `last_id` the last id listed of it.
    """

    position: int
    subject: Subject = Subject.CANDIDATE
    last_id: str = ""

    def next_subject(self) -> SnapshotCursor | None:
        """Return the beginning of the next kind; None after the last."""
        subjects = list(Subject)
        next_index = subjects.index(self.subject) + 1
        if next_index == len(subjects):
            return None
        return SnapshotCursor(self.position, subjects[next_index])


@dataclass(frozen=True, slots=True)
class FeedItem:
    """An entry as sent to a reader: a tombstone if the subject has left the reader's scope."""

    entry: FeedEntry
    visible: bool

    @property
    def type(self) -> ChangeType:
        """The kind of change; a tombstone says that its subject was withdrawn."""
        return self.entry.type if self.visible else TOMBSTONES[self.entry.subject]


def number_changes(
    head: FeedHead, changes: Iterable[FeedChange]
) -> tuple[FeedHead, list[FeedEntry]]:
    """Return the new head and the entries of these committed changes, numbered from the head on.

    Changes of one subject keep the order of its versions, however the clocks differed.
    """
    entries = [
        FeedEntry(
            id=change.id,
            seq=seq,
            type=change.type,
            occurred_at=change.occurred_at,
            subject=change.subject,
            subject_ref=change.subject_ref,
            subject_version=change.subject_version,
            audiences=change.audiences,
        )
        for seq, change in enumerate(_sort_changes(changes), head.last + 1)
    ]
    return replace(head, last=head.last + len(entries)), entries


def drop_entries(head: FeedHead, dropped: Sequence[FeedEntry]) -> FeedHead:
    """Return the head after these oldest entries were dropped."""
    numbers = [head.dropped, *(entry.seq for entry in dropped)]
    return replace(head, dropped=max(numbers))


def require_retained(position: int, head: FeedHead) -> None:
    """Raise FeedCursorTooOld unless all entries after this position are kept.

    A position beyond the head belongs to a log that was lost.
    """
    if not head.dropped <= position <= head.last:
        raise FeedCursorTooOld


def require_one_start(cursor: str | None, moment: datetime | None) -> None:
    """Raise FromTimeOrCursor when a read names both a cursor and a moment."""
    if cursor is not None and moment is not None:
        raise FromTimeOrCursor


def _sort_changes(changes: Iterable[FeedChange]) -> list[FeedChange]:
    """Return the changes by time, those of one subject by version among their own times."""
    by_time = sorted(changes, key=lambda change: (change.occurred_at, change.id))
    by_subject: dict[tuple[Subject, str], list[FeedChange]] = defaultdict(list)
    for change in by_time:
        by_subject[change.subject, change.subject_ref].append(change)
    for subject_changes in by_subject.values():
        subject_changes.sort(key=_version_order, reverse=True)
    return [by_subject[change.subject, change.subject_ref].pop() for change in by_time]


def _version_order(change: FeedChange) -> tuple[int, datetime, str]:
    return change.subject_version, change.occurred_at, change.id
