"""What is allowed: the feed's order, its cursors, and how far back it reaches.

A change is written beside what it tells of, in the same transaction and without a place in any order. One leased worker numbers the changes that
are committed; so a number is never given after a higher one was read, and a reader that moves by number skips nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chassis.errors import DomainError, Malformed
from services.manpower import texts

RETENTION = timedelta(days=180)
MAX_WAIT_SECONDS = 25
_FEED_LABEL, _SNAPSHOT_LABEL = (
    b"bina/manpower/feed-cursor/1\x00",
    b"bina/manpower/snapshot-cursor/1\x00",
)
_POSITION_BYTES, _MAC_BYTES = 8, 16


class FeedCursorInvalid(Malformed):
    """A cursor that we did not sign."""

    title = texts.FEED_CURSOR_INVALID
    field = "after"


class FeedCursorTooOld(DomainError):
    """What followed the cursor is no longer kept: take the snapshot and go on with the cursor that it ends with."""

    status = 410
    title = texts.FEED_CURSOR_TOO_OLD


class Subject(StrEnum):
    """What a change is about."""

    CANDIDATE = "candidate"
    APPLICATION = "application"
    PLACEMENT = "placement"


class ChangeType(StrEnum):
    """What changed; the reader follows `href` for the content."""

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
    """A committed change that waits for its number. `audiences` = who may be told, as it was at that moment."""

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
    """A row of the feed log: a change with its number."""

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
    """Where the log stands: `last` was given last, up to `dropped` nothing is kept any more."""

    id: str
    version: int = 0
    last: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class SnapshotCursor:
    """Where a snapshot stands: the feed's position when it began, the kind being listed, and its last id so far."""

    position: int
    subject: Subject = Subject.CANDIDATE
    last_id: str = ""

    def next_subject(self) -> SnapshotCursor | None:
        """The beginning of the next kind; None after the last."""
        kinds = list(Subject)
        here = kinds.index(self.subject)
        return SnapshotCursor(self.position, kinds[here + 1]) if here + 1 < len(kinds) else None


@dataclass(frozen=True, slots=True)
class FeedItem:
    """What a reader gets: a log row, or its tombstone when the subject is out of the reader's scope by now."""

    entry: FeedEntry
    visible: bool

    @property
    def type(self) -> ChangeType:
        """What changed; for a tombstone, that it was withdrawn."""
        return self.entry.type if self.visible else TOMBSTONES[self.entry.subject]


def number_changes(
    head: FeedHead, changes: Iterable[FeedChange]
) -> tuple[FeedHead, list[FeedEntry]]:
    """Number these committed changes on from the head. Changes of one subject keep the order of its versions whatever the clocks said."""
    ordered = _sort_changes(changes)
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
        for seq, change in enumerate(ordered, head.last + 1)
    ]
    return replace(head, last=head.last + len(entries)), entries


def drop_entries(head: FeedHead, dropped: Sequence[FeedEntry]) -> FeedHead:
    """The head after the oldest rows were dropped."""
    return replace(head, dropped=max((head.dropped, *(entry.seq for entry in dropped))))


def require_retained(position: int, head: FeedHead) -> None:
    """FeedCursorTooOld when rows after this position are no longer kept, or the position is of a log that was lost."""
    if not head.dropped <= position <= head.last:
        raise FeedCursorTooOld


def sign_cursor(position: int, key: bytes) -> str:
    """The opaque signed cursor of a position."""
    return _sign(position.to_bytes(_POSITION_BYTES), _FEED_LABEL, key)


def verify_cursor(cursor: str, key: bytes) -> int:
    """The position in a cursor; FeedCursorInvalid unless this key signed it."""
    return int.from_bytes(_verify(cursor, _FEED_LABEL, key))


def sign_snapshot_cursor(snapshot_cursor: SnapshotCursor, key: bytes) -> str:
    """The opaque signed cursor of a snapshot's place."""
    return _sign(
        snapshot_cursor.position.to_bytes(_POSITION_BYTES)
        + f"{snapshot_cursor.subject.value}/{snapshot_cursor.last_id}".encode(),
        _SNAPSHOT_LABEL,
        key,
    )


def verify_snapshot_cursor(cursor: str, key: bytes) -> SnapshotCursor:
    """The place in a snapshot's cursor; FeedCursorInvalid unless this key signed it."""
    plain = _verify(cursor, _SNAPSHOT_LABEL, key)
    subject, _, last = plain[_POSITION_BYTES:].decode().partition("/")
    return SnapshotCursor(int.from_bytes(plain[:_POSITION_BYTES]), Subject(subject), last)


def _sign(plain: bytes, label: bytes, key: bytes) -> str:
    return base64.urlsafe_b64encode(_mac(plain, label, key) + plain).decode().rstrip("=")


def _verify(cursor: str, label: bytes, key: bytes) -> bytes:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise FeedCursorInvalid from None
    mac, plain = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(plain, label, key)):
        raise FeedCursorInvalid
    return plain


def _mac(plain: bytes, label: bytes, key: bytes) -> bytes:
    return hmac.new(key, label + plain, hashlib.sha256).digest()[:_MAC_BYTES]


def _sort_changes(changes: Iterable[FeedChange]) -> list[FeedChange]:
    by_time = sorted(changes, key=lambda change: (change.occurred_at, change.id))
    waiting: dict[tuple[Subject, str], list[FeedChange]] = defaultdict(list)
    for change in by_time:
        waiting[change.subject, change.subject_ref].append(change)
    for own in waiting.values():
        own.sort(
            key=lambda change: (change.subject_version, change.occurred_at, change.id), reverse=True
        )
    return [waiting[change.subject, change.subject_ref].pop() for change in by_time]
