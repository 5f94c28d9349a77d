"""Use cases that look up the people of a list before it is judged. Nothing is changed here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice

from services.training.participants import custody
from services.training.participants.rules import Participant, SnapshotContext
from services.training.snapshot_rows import references, rules
from services.training.snapshot_rows.rules import ListedRow
from services.training.transaction import Transaction

REFERENCES_A_QUERY = 5_000


async def find_known_refs(refs: Collection[str], tx: Transaction) -> frozenset[str]:
    """Return the known references among these and among their spellings with other zeros."""
    wanted = iter({*refs, *(other for ref in refs for other in references.spellings(ref))})
    known: set[str] = set()
    while page := list(islice(wanted, REFERENCES_A_QUERY)):
        for person in (await tx.participants.find_by_source_refs(page)).values():
            known |= {person.source_ref, *person.other_refs}
    return frozenset(known)


async def count_transfers_in(
    rows: Sequence[ListedRow], at: SnapshotContext, tx: Transaction
) -> int:
    """Return how many people these rows would move here from other facilities."""
    applicable = [row for row in rows if not row.stopped and not row.merged_into]
    people = await _find_elsewhere({row.source_ref for row in applicable}, at.facility_id, tx)
    transfers = 0
    for row in applicable:
        person = people.get(row.source_ref)
        if person is not None and custody.is_transfer_in(person, rules.custody_facts(row), at):
            transfers += 1
    return transfers


async def _find_elsewhere(
    refs: Collection[str], facility_id: str, tx: Transaction
) -> dict[str, Participant]:
    """Return the people of other facilities by reference; a merged record gives the survivor."""
    wanted = iter(sorted(refs))
    people: dict[str, Participant] = {}
    while page := list(islice(wanted, REFERENCES_A_QUERY)):
        people |= await tx.participants.find_elsewhere(page, facility_id)
    survivor_ids = {person.merged_into for person in people.values()} - {""}
    survivors = await tx.participants.many(survivor_ids, scoped=False)
    return {ref: survivors.get(person.merged_into, person) for ref, person in people.items()}
