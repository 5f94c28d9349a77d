"""What happens: people and their movements are looked up."""

from __future__ import annotations

from chassis.persistence.store import Page
from services.training.participants.rules import Custody, Movement, MovementKind, Participant
from services.training.transaction import Transaction


async def participant(participant_ref: str, tx: Transaction) -> Participant:
    """The person behind a reference of the caller's, also one that was merged."""
    person = await tx.participants.get(await tx.resolve(participant_ref))
    tx.note("participants.read", person.id)
    return person


async def participants(
    facility_id: str | None,
    state: Custody | None,
    source_ref: str | None,
    cursor: str | None,
    limit: int,
    tx: Transaction,
) -> Page[Participant]:
    """The caller's people."""
    page = await tx.participants.list_page(facility_id, state, source_ref, cursor, limit)
    tx.note("participants.listed", "", refs=[person.id for person in page.items])
    return page


async def movements_of_snapshot(
    snapshot_id: str, kind: MovementKind | None, cursor: str | None, limit: int, tx: Transaction
) -> tuple[Page[Movement], dict[str, str]]:
    """What a snapshot of the caller's moved, and the source reference of each person."""
    await tx.snapshots.get(snapshot_id)
    page = await tx.movements.list_page(snapshot_id, kind, cursor, limit)
    people = await tx.participants.many(
        (movement.participant_ref for movement in page.items), scoped=False
    )
    tx.note("movements.listed", snapshot_id, refs=sorted(people))
    return page, {ref: person.source_ref for ref, person in people.items()}
