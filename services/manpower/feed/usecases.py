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
    Change,
    ChangeType,
    Entry,
    Head,
    Item,
    Place,
    Subject,
)
from services.manpower.transaction import Transaction

NUMBERING, FORGETTING = "feed-numbers", "feed-retention"
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Reading:
    """What one read gives: items, the position to go on from, and whether more waits."""

    items: list[Item]
    position: int
    has_more: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one read of the snapshot gives: rows, where it goes on (None = complete), and the feed's position behind it."""

    rows: list[tuple[Subject, str, int]]
    following: Place | None
    position: int


def tell(
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
        Change(
            id=new_id(),
            type=change,
            occurred_at=tx.now,
            subject=subject,
            subject_ref=ref,
            subject_version=version,
            audiences=told,
        )
    )
    tx.wake(NUMBERING)


async def number_changes(run: Runner[Transaction]) -> bool:
    """The job that puts committed changes into the log; True when more may wait."""
    return await run(_number_some)


async def forget_old(run: Runner[Transaction]) -> bool:
    """The job that drops log rows past the retention; True when more may be too old."""
    return await run(_forget_some)


async def read_feed(position: int | None, limit: int, tx: Transaction) -> Reading:
    """The caller's rows behind a position (None = from the oldest kept). FeedCursorTooOld when rows behind it are no longer kept."""
    head = await _head(tx)
    start = head.dropped if position is None else position
    rules.require_kept(start, head)
    entries = await tx.feed_entries.after(start, limit + 1)
    shown, has_more = entries[:limit], len(entries) > limit
    items = await _in_scope(shown, tx)
    if seen := sorted({item.entry.subject_ref for item in items if item.visible}):
        tx.note("feed.read", "", refs=seen)
    return Reading(items, shown[-1].seq if has_more else head.last, has_more)


async def read_snapshot(place: Place | None, limit: int, tx: Transaction) -> Snapshot:
    """The next rows of all that the caller may see now; the first page remembers where the feed stood, so that what changes meanwhile follows there."""
    place = place or Place((await _head(tx)).last)
    stores = {
        Subject.CANDIDATE: tx.candidates,
        Subject.APPLICATION: tx.applications,
        Subject.PLACEMENT: tx.placements,
    }
    rows: list[tuple[Subject, str, int]] = []
    following: Place | None = place
    while following is not None and len(rows) < limit:
        place, wanted = following, limit - len(rows)
        found = await stores[place.subject].following(place.last, wanted)
        rows += [(place.subject, row.id, row.version) for row in found]
        following = (
            replace(place, last=found[-1].id) if len(found) == wanted else place.following_kind()
        )
    tx.note("snapshot.read", "", refs=sorted({ref for _, ref, _ in rows}))
    return Snapshot(rows, following, place.position)


async def position_at(moment: datetime, tx: Transaction) -> int:
    """The position from which everything told since this moment follows."""
    head = await _head(tx)
    first = await tx.feed_entries.first_since(moment)
    return head.last if first is None else first.seq - 1


async def last_number(tx: Transaction) -> int:
    """The number given last."""
    return (await _head(tx)).last


async def _head(tx: Transaction) -> Head:
    return await tx.feed_heads.current() or Head(id="feed")


async def _in_scope(entries: list[Entry], tx: Transaction) -> list[Item]:
    refs = {
        subject: {entry.subject_ref for entry in entries if entry.subject is subject}
        for subject in Subject
    }
    visible = {
        Subject.CANDIDATE: set(await tx.candidates.many(refs[Subject.CANDIDATE])),
        Subject.APPLICATION: set(await tx.applications.many(refs[Subject.APPLICATION])),
        Subject.PLACEMENT: set(await tx.placements.many(refs[Subject.PLACEMENT])),
    }
    return [Item(entry, entry.subject_ref in visible[entry.subject]) for entry in entries]


async def _number_some(tx: Transaction) -> bool:
    changes = await tx.feed_changes.waiting(_BATCH)
    if not changes:
        return False
    before = await tx.feed_heads.current()
    head, entries = rules.number(before or Head(id="feed"), changes)
    if before is None:
        tx.feed_heads.add(head)
    else:
        tx.feed_heads.save(before, head)
    for entry in entries:
        tx.feed_entries.add(entry)
    for change in changes:
        tx.feed_changes.remove(change)
    return len(changes) >= _BATCH


async def _forget_some(tx: Transaction) -> bool:
    old = await tx.feed_entries.kept_until(tx.now - RETENTION, _BATCH)
    before = await tx.feed_heads.current()
    if before is None or not old:
        return False
    tx.feed_heads.save(before, rules.forget(before, old))
    for entry in old:
        tx.feed_entries.remove(entry)
    return len(old) == _BATCH
