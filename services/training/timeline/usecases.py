"""What happens: events become entries, once each; the entries of merged people become one story."""

from __future__ import annotations

from dataclasses import replace

from chassis.persistence.store import Page
from services.training.timeline.rules import Entry
from services.training.transaction import Transaction


async def record_entry(entry: Entry, tx: Transaction) -> None:
    """An entry more; the same event again, as when the timeline is built anew, changes nothing."""
    if await tx.timeline.seek(entry.id, scoped=False) is None:
        tx.timeline.add(entry)


async def replace_participant_ref(from_ref: str, into_ref: str, tx: Transaction) -> None:
    """The story of one reference is the other's."""
    for entry in await tx.timeline.list_by_subject(from_ref):
        tx.timeline.save(entry, replace(entry, subject_ref=into_ref))


async def of_participant(
    participant_ref: str, cursor: str | None, limit: int, tx: Transaction
) -> Page[Entry]:
    """The story of a participant of the caller's."""
    person = await tx.participants.get(await tx.resolve(participant_ref))
    tx.note("timeline.shown", person.id)
    return await tx.timeline.list_page(person.id, cursor, limit)


async def of_class(class_id: str, cursor: str | None, limit: int, tx: Transaction) -> Page[Entry]:
    """The story of a class of the caller's."""
    run = await tx.classes.get(class_id)
    return await tx.timeline.list_page(run.id, cursor, limit)
