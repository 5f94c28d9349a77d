"""Use cases that correct the time of a facility's last accepted list, by two persons.

A list with a time in the future locks its facility out: every later list is older. Not here: the
rules (taken_at).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.training.participants import custody
from services.training.snapshots import rules, taken_at
from services.training.snapshots.rules import Snapshot
from services.training.transaction import Transaction


async def propose_taken_at(
    snapshot_id: str, true_time: datetime, reason: str, if_match: int, tx: Transaction
) -> Snapshot:
    """Propose the true time of the facility's last accepted list.

    Raises SnapshotOutdated for another list, TakenAtInFuture, TakenAtUnchanged.
    """
    before = await tx.snapshots.get(snapshot_id, if_match=if_match)
    rules.require_newest(before, await tx.rosters.get(before.facility_id))
    correction = taken_at.propose(
        before.taken_at, before.received_at, true_time, tx.caller.actor, reason
    )
    return tx.snapshots.save(before, replace(before, correction=correction))


async def approve_taken_at(snapshot_id: str, if_match: int, tx: Transaction) -> Snapshot:
    """Approve the proposed time as a second person; later lists are judged by it.

    Raises SnapshotOutdated, NoCorrectionProposed, SamePersonCorrects.
    """
    before = await tx.snapshots.get(snapshot_id, if_match=if_match)
    roster = await tx.rosters.get(before.facility_id)
    rules.require_newest(before, roster)
    correction = taken_at.approve(before.correction, tx.caller.actor)
    tx.rosters.save(roster, replace(roster, taken_at=correction.taken_at))
    for person in await tx.participants.list_by_facility(before.facility_id):
        after = custody.correct_as_of(person, correction.stated, correction.taken_at)
        if after != person:
            tx.participants.save(person, after)
    return tx.snapshots.save(
        before, replace(before, taken_at=correction.taken_at, correction=correction)
    )
