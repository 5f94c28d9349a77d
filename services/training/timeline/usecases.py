"""Use cases of timelines: record an event once, follow a merge, list entries."""

from __future__ import annotations

from dataclasses import replace

from chassis.persistence.store import Page
from services.training.timeline.rules import Entry
from services.training.transaction import Transaction


async def record_entry(entry: Entry, tx: Transaction) -> None:
    """Add an entry; the same event again, for example in a rebuild, changes nothing."""
    if await tx.timeline.seek(entry.id, scoped=False) is None:
        tx.timeline.add(entry)


async def replace_participant_ref(from_ref: str, into_ref: str, tx: Transaction) -> None:
    """Move the entries of one reference to another."""
    for entry in await tx.timeline.list_by_subject(from_ref):
        tx.timeline.save(entry, replace(entry, subject_ref=into_ref))


async def list_entries_of_participant(
    participant_ref: str, cursor: str | None, limit: int, tx: Transaction
) -> Page[Entry]:
    """Return a page of the timeline of a participant in the caller's scope, noted as read."""
    person = await tx.participants.get(await tx.resolve(participant_ref))
    tx.note("timeline.shown", person.id)
    return await tx.timeline.list_page(person.id, cursor, limit)


async def list_entries_of_class(
    class_id: str, cursor: str | None, limit: int, tx: Transaction
) -> Page[Entry]:
    """Return a page of the timeline of a class in the caller's scope."""
    training_class = await tx.classes.get(class_id)
    return await tx.timeline.list_page(training_class.id, cursor, limit)
