"""What happens: changes are told, numbered by one job, read by each reader in its own scope, and forgotten when they are too old."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

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
    Subject,
)
from services.manpower.transaction import Transaction

NUMBERING_JOB, RETENTION_JOB = "feed-numbers", "feed-retention"
_BATCH_SIZE = 500


@dataclass(frozen=True, slots=True)
class FeedPage:
    """What one read gives: items, the position to go on from, and whether more waits."""

    items: list[FeedItem]
    position: int
    has_more: bool


@dataclass(frozen=True, slots=True)
class SnapshotPage:
    """What one read of the snapshot gives: rows, where it goes on (None = complete), and the feed's position behind it."""

    rows: list[tuple[Subject, str, int]]
    next_cursor: SnapshotCursor | None
    position: int


def record_change(
    change: ChangeType,
    subject: Subject,
    ref: str,
    version: int,
    audiences: Iterable[str],
    tx: Transaction,
) -> None:
    """Write a change for these audiences in this transaction; nobody to tell, nothing written."""
    told = frozenset(audiences)
    if not told:
        return
    tx.feed_changes.add(
        FeedChange(
            id=new_id(),
            type=change,
            occurred_at=tx.now,
            subject=subject,
            subject_ref=ref,
            subject_version=version,
            audiences=told,
        )
    )
    tx.wake(NUMBERING_JOB)


async def number_changes(run: Runner[Transaction]) -> bool:
    """The job that puts committed changes into the log; True when more may wait."""
    return await run(_number_batch)


async def drop_old_entries(run: Runner[Transaction]) -> bool:
    """The job that drops log rows past the retention; True when more may be too old."""
    return await run(_drop_batch)


async def read_feed(position: int | None, limit: int, tx: Transaction) -> FeedPage:
    """The caller's rows behind a position (None = from the oldest kept). FeedCursorTooOld when rows behind it are no longer kept."""
    head = await _read_head(tx)
    start = head.dropped if position is None else position
    rules.require_retained(start, head)
    entries = await tx.feed_entries.list_after(start, limit + 1)
    shown, has_more = entries[:limit], len(entries) > limit
    items = await _mark_visible(shown, tx)
    if seen := sorted({item.entry.subject_ref for item in items if item.visible}):
        tx.note("feed.read", "", refs=seen)
    return FeedPage(items, shown[-1].seq if has_more else head.last, has_more)


async def read_snapshot(cursor: SnapshotCursor | None, limit: int, tx: Transaction) -> SnapshotPage:
    """The next rows of all that the caller may see now; the first page remembers where the feed stood, so that what changes meanwhile follows there."""
    cursor = cursor or SnapshotCursor((await _read_head(tx)).last)
    stores = {
        Subject.CANDIDATE: tx.candidates,
        Subject.APPLICATION: tx.applications,
        Subject.PLACEMENT: tx.placements,
    }
    rows: list[tuple[Subject, str, int]] = []
    following: SnapshotCursor | None = cursor
    while following is not None and len(rows) < limit:
        cursor, wanted = following, limit - len(rows)
        found = await stores[cursor.subject].list_after(cursor.last_id, wanted)
        rows += [(cursor.subject, row.id, row.version) for row in found]
        following = (
            replace(cursor, last=found[-1].id) if len(found) == wanted else cursor.next_subject()
        )
    tx.note("snapshot.read", "", refs=sorted({ref for _, ref, _ in rows}))
    return SnapshotPage(rows, following, cursor.position)


async def find_position(moment: datetime, tx: Transaction) -> int:
    """The position from which everything told since this moment follows."""
    head = await _read_head(tx)
    first = await tx.feed_entries.find_first_since(moment)
    return head.last if first is None else first.seq - 1


async def read_last_number(tx: Transaction) -> int:
    """The number given last."""
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
    old = await tx.feed_entries.list_before(tx.now - RETENTION, _BATCH_SIZE)
    before = await tx.feed_heads.seek_current()
    if before is None or not old:
        return False
    tx.feed_heads.save(before, rules.drop_entries(before, old))
    for entry in old:
        tx.feed_entries.remove(entry)
    return len(old) == _BATCH_SIZE
