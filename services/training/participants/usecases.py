"""Use cases of participants: read and list people and the movements of a snapshot."""

from __future__ import annotations

from chassis.persistence.store import Page
from services.training.participants.rules import CustodyState, Movement, MovementKind, Participant
from services.training.transaction import Transaction


async def read_participant(participant_ref: str, tx: Transaction) -> Participant:
    """Return one person in the caller's scope, noted as read; a merged reference is followed."""
    person = await tx.participants.get(await tx.resolve(participant_ref))
    tx.note("participants.read", person.id)
    return person


async def list_participants(
    facility_id: str | None,
    state: CustodyState | None,
    source_ref: str | None,
    cursor: str | None,
    limit: int,
    tx: Transaction,
) -> Page[Participant]:
    """Return a page of the people in the caller's scope, noted as read."""
    page = await tx.participants.list_page(facility_id, state, source_ref, cursor, limit)
    tx.note("participants.listed", "", refs=[person.id for person in page.items])
    return page


async def list_movements(
    snapshot_id: str, kind: MovementKind | None, cursor: str | None, limit: int, tx: Transaction
) -> tuple[Page[Movement], dict[str, str]]:
    """Return the movements of a snapshot and each person's source reference, noted as read."""
    await tx.snapshots.get(snapshot_id)
    page = await tx.movements.list_page(snapshot_id, kind, cursor, limit)
    refs = (movement.participant_ref for movement in page.items)
    people = await tx.participants.many(refs, scoped=False)
    tx.note("movements.listed", snapshot_id, refs=sorted(people))
    return page, {ref: person.source_ref for ref, person in people.items()}
