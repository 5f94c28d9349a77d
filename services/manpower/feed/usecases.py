"""Use cases of the feed: record, number, read and drop changes.

Not here: waiting for more (api).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from chassis.ids import new_id
from chassis.persistence.transactions import Runner
from services.manpower.feed import rules
from services.manpower.feed.rules import (
    RETENTION,
    ChangeType,
    FeedChange,
    FeedEntry,
    FeedHead,
    FeedItem,
    SnapshotCursor,
)
from services.manpower.transaction import Transaction
from services.manpower.visibility.rules import Subject, Visibility, all_audiences

NUMBERING_JOB = "feed-numbers"
RETENTION_JOB = "feed-retention"
_BATCH_SIZE = 500
_FEED = "feed"
_SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class FeedPage:
    """The result of one read of the feed.

    `position` and `next_cursor` say where to continue, also when there are no items.
    """

    items: list[FeedItem]
    position: int
    next_cursor: str
    has_more: bool


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """A row that the reader may see now."""

    subject: Subject
    ref: str
    version: int


@dataclass(frozen=True, slots=True)
class SnapshotPage:
    """The result of one read of the snapshot.

    The last page has no `next_cursor`; its `feed_cursor` says where the feed continues.
    """

    rows: list[SnapshotRow]
    next_cursor: str | None
    feed_cursor: str | None


def record_change(
    change: ChangeType,
    subject: Subject,
    ref: str,
    version: int,
    audiences: Iterable[str],
    tx: Transaction,
) -> None:
    """Write a change for these audiences; without an audience write nothing."""
    names = frozenset(audiences)
    if not names:
        return
    tx.feed_changes.add(
        FeedChange(
            id=new_id(),
            type=change,
            occurred_at=tx.now,
            subject=subject,
            subject_ref=ref,
            subject_version=version,
            audiences=names,
        )
    )
    tx.wake(NUMBERING_JOB)


def record_moved_audiences(
    shared: ChangeType,
    subject: Subject,
    ref: str,
    version: int,
    before: Visibility,
    after: Visibility,
    tx: Transaction,
) -> None:
    """Write `shared` for the audiences that were added, a tombstone for those that were removed."""
    former = all_audiences(before)
    current = all_audiences(after)
    record_change(shared, subject, ref, version, current - former, tx)
    record_change(rules.TOMBSTONES[subject], subject, ref, version, former - current, tx)


async def number_changes(run: Runner[Transaction]) -> bool:
    """Move committed changes into the log; True when more may wait."""
    return await run(_number_batch)


async def drop_old_entries(run: Runner[Transaction]) -> bool:
    """Drop entries older than the retention; True when more may be too old."""
    return await run(_drop_batch)


async def read_feed(
    cursor: str | None, moment: datetime | None, limit: int, tx: Transaction
) -> FeedPage:
    """Return the caller's entries after a cursor or since a moment; without both, all entries.

    Raises FromTimeOrCursor, CursorInvalid, FeedCursorTooOld.
    """
    rules.require_one_start(cursor, moment)
    head = await _read_head(tx)
    position = head.dropped
    if cursor is not None:
        position = cast("int", tx.cursors.verify(cursor, _FEED, field="after")[0])
    elif moment is not None:
        first = await tx.feed_entries.find_first_since(moment)
        position = head.last if first is None else first.seq - 1
    return await continue_feed(position, limit, tx)


async def continue_feed(position: int, limit: int, tx: Transaction) -> FeedPage:
    """Return the caller's entries after a position. Raises FeedCursorTooOld."""
    head = await _read_head(tx)
    rules.require_retained(position, head)
    entries = await tx.feed_entries.list_after(position, limit + 1)
    has_more = len(entries) > limit
    items = await _mark_visible(entries[:limit], tx)
    visible_refs = {item.entry.subject_ref for item in items if item.visible}
    if len(visible_refs) > 0:
        tx.note("feed.read", "", refs=sorted(visible_refs))
    next_position = items[-1].entry.seq if has_more else head.last
    next_cursor = tx.cursors.sign(_FEED, [next_position])
    return FeedPage(items, next_position, next_cursor, has_more)


async def read_snapshot(signed_cursor: str | None, limit: int, tx: Transaction) -> SnapshotPage:
    """Return the next rows of the snapshot: all rows that the caller may see now.

    The first page fixes the position from which the feed continues, so that no later change is
    missed. Raises CursorInvalid.
    """
    cursor = SnapshotCursor((await _read_head(tx)).last)
    if signed_cursor is not None:
        position, subject, last_id = tx.cursors.verify(signed_cursor, _SNAPSHOT)
        cursor = SnapshotCursor(cast("int", position), Subject(subject), cast("str", last_id))
    stores = {
        Subject.CANDIDATE: tx.candidates,
        Subject.APPLICATION: tx.applications,
        Subject.PLACEMENT: tx.placements,
    }
    rows: list[SnapshotRow] = []
    next_cursor: SnapshotCursor | None = cursor
    while next_cursor is not None and len(rows) < limit:
        cursor = next_cursor
        wanted = limit - len(rows)
        batch = await stores[cursor.subject].list_after(cursor.last_id, wanted)
        rows += [SnapshotRow(cursor.subject, row.id, row.version) for row in batch]
        if len(batch) == wanted:
            next_cursor = replace(cursor, last_id=batch[-1].id)
        else:
            next_cursor = cursor.next_subject()
    tx.note("snapshot.read", "", refs=sorted({row.ref for row in rows}))
    if next_cursor is None:
        return SnapshotPage(rows, None, tx.cursors.sign(_FEED, [cursor.position]))
    progress = next_cursor.position, next_cursor.subject.value, next_cursor.last_id
    return SnapshotPage(rows, tx.cursors.sign(_SNAPSHOT, progress), None)


async def read_last_number(tx: Transaction) -> int:
    """Return the highest assigned number."""
    return (await _read_head(tx)).last


async def _read_head(tx: Transaction) -> FeedHead:
    return await tx.feed_heads.seek_current() or FeedHead(id="feed")


async def _mark_visible(entries: list[FeedEntry], tx: Transaction) -> list[FeedItem]:
    refs = {
        subject: {entry.subject_ref for entry in entries if entry.subject is subject}
        for subject in Subject
    }
    visible = {
        Subject.CANDIDATE: set(await tx.candidates.many(refs[Subject.CANDIDATE])),
        Subject.APPLICATION: set(await tx.applications.many(refs[Subject.APPLICATION])),
        Subject.PLACEMENT: set(await tx.placements.many(refs[Subject.PLACEMENT])),
    }
    return [FeedItem(entry, entry.subject_ref in visible[entry.subject]) for entry in entries]


async def _number_batch(tx: Transaction) -> bool:
    changes = await tx.feed_changes.list_waiting(_BATCH_SIZE)
    if not changes:
        return False
    before = await tx.feed_heads.seek_current()
    head, entries = rules.number_changes(before or FeedHead(id="feed"), changes)
    if before is None:
        tx.feed_heads.add(head)
    else:
        tx.feed_heads.save(before, head)
    for entry in entries:
        tx.feed_entries.add(entry)
    for change in changes:
        tx.feed_changes.remove(change)
    return len(changes) >= _BATCH_SIZE


async def _drop_batch(tx: Transaction) -> bool:
    old_entries = await tx.feed_entries.list_before(tx.now - RETENTION, _BATCH_SIZE)
    before = await tx.feed_heads.seek_current()
    if before is None or not old_entries:
        return False
    tx.feed_heads.save(before, rules.drop_entries(before, old_entries))
    for entry in old_entries:
        tx.feed_entries.remove(entry)
    return len(old_entries) == _BATCH_SIZE
