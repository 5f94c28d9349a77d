"""Use cases of listed rows: apply them, record missing people.

Each step can run again: a movement that exists is not made twice. Not here: which rows are applied
when (snapshots).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chassis.ids import new_id
from services.training import events
from services.training.enrolments import consequences as enrolments
from services.training.identities import rules as identities
from services.training.identities.rules import EncryptedNik, Identity
from services.training.mappings.rules import FileMapping
from services.training.merges import rules as merge_rules
from services.training.merges import usecases as merges
from services.training.participants import custody
from services.training.participants.rules import (
    CustodyState,
    Doubt,
    Movement,
    MovementKind,
    Participant,
    RowOutcome,
    SnapshotContext,
    build_movement_events,
)
from services.training.snapshot_rows import merge_proposals, row_errors, rules
from services.training.snapshot_rows.merge_proposals import NewNik
from services.training.snapshot_rows.rules import (
    ListedRow,
    RowChange,
    RowError,
    RowErrorEffect,
    RowReason,
)
from services.training.tasks import rules as task_rules
from services.training.tasks import usecases as tasks
from services.training.tasks.rules import TaskKind
from services.training.transaction import Transaction

_KINDS_AFFECTING_ENROLMENTS = frozenset(
    {
        MovementKind.TRANSFERRED,
        MovementKind.RELEASED,
        MovementKind.ABSENT,
        MovementKind.RETURNED,
        MovementKind.MISSING,
        MovementKind.RESTORED,
    }
)
_RESOLUTION_OF_MISSING = {
    MovementKind.RESTORED: "restored",
    MovementKind.TRANSFERRED: "transferred",
    MovementKind.RELEASED: "released",
}


@dataclass(slots=True)
class RowBatch:
    """The state while rows of one snapshot are applied in one transaction."""

    tx: Transaction
    snapshot: SnapshotContext
    mapping: FileMapping
    listed_refs: frozenset[str]
    by_source_ref: dict[str, Participant] = field(default_factory=dict)
    by_id: dict[str, Participant] = field(default_factory=dict)
    identities: dict[str, Identity] = field(default_factory=dict)
    new_niks: list[NewNik] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def remember(self, person: Participant) -> Participant:
        """Remember the stored state of a person."""
        self.by_source_ref[person.source_ref] = person
        self.by_id[person.id] = person
        return person

    def find_survivor(self, source_ref: str) -> Participant | None:
        """Return the person behind a source reference; a merged record gives the survivor."""
        person = self.by_source_ref.get(source_ref)
        if person is None or not person.merged_into:
            return person
        return self.by_id[person.merged_into]


async def apply_rows(
    rows: Sequence[ListedRow],
    at: SnapshotContext,
    mapping: FileMapping,
    listed_refs: frozenset[str],
    tx: Transaction,
) -> Counter[str]:
    """Apply rows that are not stopped; return the counts of their changes.

    `listed_refs` are all source references of the snapshot.
    """
    batch = RowBatch(tx, at, mapping, listed_refs)
    await _load_people(rows, batch)
    for row in rows:
        if row.merged_into:
            await _merge_row(row, batch)
        else:
            await _apply_row(row, batch)
    await merge_proposals.propose_for_new_niks(batch.new_niks, at, tx)
    return batch.counts


async def record_missing_people(
    refs: Iterable[str], at: SnapshotContext, tx: Transaction
) -> Counter[str]:
    """Record people whom a full list no longer names; return the counts of the changes."""
    counts: Counter[str] = Counter()
    for person in (await tx.participants.many(refs, scoped=False)).values():
        outcome = custody.record_missing(person, at)
        if outcome.after == person:
            continue
        if not outcome.movements:
            counts["still_missing"] += 1
        after = await _save_participant(person, outcome, counts, tx)
        for doubt in outcome.doubts:
            await _open_doubt_task(doubt, after, at, tx)
    return counts


async def _load_people(rows: Sequence[ListedRow], batch: RowBatch) -> None:
    """Read everybody whom the rows name, the survivors of merged records, and the identities."""
    tx = batch.tx
    source_refs = {row.source_ref for row in rows} | {row.merged_into for row in rows}
    named = await tx.participants.find_by_source_refs(source_refs - {""})
    survivor_ids = {person.merged_into for person in named.values()} - {""}
    survivors = await tx.participants.many(survivor_ids, scoped=False)
    for person in (*survivors.values(), *named.values()):
        batch.remember(person)
    batch.identities = await tx.identities.many(batch.by_id, scoped=False)


async def _apply_row(row: ListedRow, batch: RowBatch) -> None:
    person = batch.find_survivor(row.source_ref)
    if person is not None and _is_superseded(person, row, batch):
        return
    identity = batch.identities.get(person.id) if person else None
    ref = person.id if person else new_id()
    nik = _encrypt_new_nik(row, identity, ref, batch)
    change = rules.compute_change(row, person, identity, nik, ref, batch.snapshot, batch.mapping)
    await row_errors.report(row, change.errors, batch.snapshot, batch.tx)
    outcome = RowOutcome(
        after=change.participant,
        movements=change.movements,
        planned_release_on=change.planned_release_on,
        planned_kind=row.planned_kind,
    )
    after = batch.remember(await _save_participant(person, outcome, batch.counts, batch.tx))
    _save_identity(change, identity, batch)
    if nik is not None and change.identity.nik_lookup == nik.lookup:
        lookups = batch.tx.lookup_keys.values(row.nik)
        batch.new_niks.append(NewNik(participant_ref=after.id, lookups=lookups))
    for doubt in change.doubts:
        await _open_doubt_task(doubt, after, batch.snapshot, batch.tx)
    for movement in change.movements:
        if movement.kind is MovementKind.TRANSFERRED:
            await _open_transfer_task(movement, after, batch.tx)
    kinds = {movement.kind for movement in change.movements}
    if MovementKind.DETAILS_CHANGED in kinds or change.planned_release_on:
        await enrolments.report_new_blocks(after, batch.tx)


def _is_superseded(person: Participant, row: ListedRow, batch: RowBatch) -> bool:
    if row.admission_date is None:
        return False
    return custody.is_superseded(
        person, row.source_ref, row.admission_date, batch.listed_refs, batch.snapshot.facility_id
    )


def _encrypt_new_nik(
    row: ListedRow, identity: Identity | None, ref: str, batch: RowBatch
) -> EncryptedNik | None:
    """Return the row's NIK encrypted for the person.

    None when the row has no NIK, or when it is the stored one.
    """
    lookup_keys = batch.tx.lookup_keys
    if not row.nik:
        return None
    if identity is not None and identities.is_stored_nik(identity, lookup_keys.values(row.nik)):
        return None
    return EncryptedNik(
        sealed=batch.tx.cipher.encrypt(row.nik, ref),
        lookup=lookup_keys.value(row.nik),
        lookup_key=lookup_keys.key_id,
        last4=row.nik[-4:],
    )


def _save_identity(change: RowChange, before: Identity | None, batch: RowBatch) -> None:
    after = change.identity
    if before is None:
        batch.identities[after.id] = batch.tx.identities.add(after)
    elif after != before:
        batch.identities[after.id] = batch.tx.identities.save(before, after)


async def _save_participant(
    before: Participant | None, outcome: RowOutcome, counts: Counter[str], tx: Transaction
) -> Participant:
    """Store a person's outcome with its movements and consequences; return the person as stored."""
    _add_movements(outcome, counts, tx)
    after = outcome.after
    planned: list[events.ReleasePlanned] = []
    if outcome.planned_release_on is not None:
        event = events.ReleasePlanned(
            participant_ref=after.id,
            facility_id=after.facility_id,
            expected_on=outcome.planned_release_on,
            kind=outcome.planned_kind or None,
        )
        planned.append(event)
    counts["release_planned"] += len(planned)
    if before is None:
        return tx.participants.add(after, planned)
    saved = before
    if after != before or planned:
        saved = tx.participants.save(before, after, planned)
    has_missing_task = before.missing_snapshots >= custody.MISSING_AFTER_SNAPSHOTS
    for movement in outcome.movements:
        if movement.kind in _KINDS_AFFECTING_ENROLMENTS:
            await enrolments.apply_movement(movement, saved, tx)
        resolution = _RESOLUTION_OF_MISSING.get(movement.kind)
        if resolution is not None and has_missing_task:
            await tasks.resolve_for_participant(saved.id, TaskKind.MISSING, resolution, tx)
    return saved


def _add_movements(outcome: RowOutcome, counts: Counter[str], tx: Transaction) -> None:
    for movement in outcome.movements:
        counts[movement.kind] += 1
        if movement.readmission:
            counts["readmitted"] += 1
        if movement.kind is MovementKind.RELEASED:
            counts[f"released.{movement.code}"] += 1
        # a release can end a stay in a facility outside the caller's scope
        tx.movements.add(movement, build_movement_events(movement), scoped=False)


async def _merge_row(row: ListedRow, batch: RowBatch) -> None:
    """Merge the two records that the source says are one person."""
    person = batch.by_source_ref.get(row.source_ref)
    into = batch.find_survivor(row.merged_into)
    if into is None:
        await _report_unknown_target(row, batch)
        return
    if person is None or person.state is CustodyState.MERGED or person.id == into.id:
        return
    snapshot = batch.snapshot
    if not merge_rules.may_merge_by_list(person, into, snapshot.facility_id):
        await merge_proposals.propose_to_holders(person, into, batch.tx)
        return
    gone, kept = await merges.merge_records(
        person, into, snapshot.as_of, snapshot.taken_on, snapshot.snapshot_id, batch.tx
    )
    batch.remember(gone)
    batch.remember(kept)
    batch.counts[MovementKind.MERGED] += 1


async def _report_unknown_target(row: ListedRow, batch: RowBatch) -> None:
    error = RowError(
        sheet=row.sheet,
        row=row.number,
        column=batch.mapping.columns["merged_into"],
        field="merged_into",
        reason=RowReason.MERGE_TARGET_UNKNOWN,
        effect=RowErrorEffect.ROW,
        raw=row.merged_into,
    )
    await row_errors.report(row, [error], batch.snapshot, batch.tx)


async def _open_transfer_task(movement: Movement, person: Participant, tx: Transaction) -> None:
    """Tell the facility that the person left: its own list has not said so."""
    left = await tx.facilities.get(movement.from_facility_id, scoped=False)
    task = task_rules.open_task(
        TaskKind.TRANSFERRED_AWAY,
        left.id,
        tx.now,
        left.local_date(tx.now),
        participant_ref=person.id,
        subject=movement.id,
        facts={
            "source_ref": person.source_ref,
            "to": movement.facility_id,
            "effective_on": movement.effective_on.isoformat(),
        },
    )
    await tasks.open_task(task, tx)


async def _open_doubt_task(
    doubt: Doubt, person: Participant, at: SnapshotContext, tx: Transaction
) -> None:
    facility = await tx.facilities.get(at.facility_id, scoped=False)
    facts = {"source_ref": person.source_ref}
    other_facilities: frozenset[str] = frozenset()
    if doubt is Doubt.CUSTODY_CONFLICT:
        facts["also"] = person.facility_id
        other_facilities = frozenset({person.facility_id})
    if doubt is Doubt.MISSING:
        facts["snapshots"] = str(person.missing_snapshots)
    task = task_rules.open_task(
        TaskKind(doubt.value),
        at.facility_id,
        tx.now,
        facility.local_date(tx.now),
        participant_ref=person.id,
        subject=str(person.last_stay.no) if person.last_stay else "",
        facts=facts,
        other_facilities=other_facilities,
    )
    await tasks.open_task(task, tx)
