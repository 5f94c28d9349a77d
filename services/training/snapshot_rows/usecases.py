"""What happens: listed rows are applied to the people they speak of. Every step may run again; a movement that exists is not made twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field

from chassis.ids import named_id, new_id
from services.training import events
from services.training.enrolments import usecases as enrolments
from services.training.identities import rules as identities
from services.training.identities.rules import EncryptedNik, Identity
from services.training.mappings.rules import FileMapping
from services.training.merges import usecases as merges
from services.training.merges.rules import MergeCandidate
from services.training.participants import rules as custody
from services.training.participants.rules import (
    Custody,
    Doubt,
    MovementKind,
    Participant,
    RowOutcome,
    SnapshotContext,
)
from services.training.snapshot_rows import rules
from services.training.snapshot_rows.rules import Effect, ListedRow, RowChange, RowError, RowReason
from services.training.tasks import rules as items
from services.training.tasks import usecases as inbox
from services.training.tasks.rules import TaskKind
from services.training.transaction import Transaction
from services.training.vault import FieldCipher

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
    """What is known while the rows of one snapshot are applied in one transaction."""

    tx: Transaction
    snapshot: SnapshotContext
    mapping: FileMapping
    listed_refs: frozenset[str]
    people: dict[str, Participant] = dataclass_field(default_factory=dict)
    by_id: dict[str, Participant] = dataclass_field(default_factory=dict)
    identities: dict[str, Identity] = dataclass_field(default_factory=dict)
    new_niks: list[tuple[str, list[str]]] = dataclass_field(default_factory=list)
    counts: Counter[str] = dataclass_field(default_factory=Counter)

    def remember(self, person: Participant) -> Participant:
        """Remember a person as stored now."""
        self.people[person.source_ref] = self.by_id[person.id] = person
        return person

    @property
    def vault(self) -> FieldCipher:
        """Where NIKs are sealed."""
        return self.tx.cipher


async def apply_rows(
    rows: Sequence[ListedRow],
    at: SnapshotContext,
    mapping: FileMapping,
    listed: frozenset[str],
    tx: Transaction,
) -> Counter[str]:
    """Apply rows that did not stop; what they changed, counted. `listed` holds every reference of the snapshot."""
    work = RowBatch(tx, at, mapping, listed)
    found = await tx.participants.find_by_source_refs(
        {ref for row in rows for ref in (row.source_ref, row.merged_into) if ref}
    )
    survivors = await tx.participants.many(
        {person.merged_into for person in found.values() if person.merged_into}, scoped=False
    )
    for person in (*survivors.values(), *found.values()):
        work.remember(person)
    work.identities = await tx.identities.many(work.by_id, scoped=False)
    for row in rows:
        if row.merged_into:
            await _merge_row(row, work)
        else:
            await _apply_row(row, work)
    await _find_same_niks(work)
    return work.counts


async def record_missing_people(
    refs: Iterable[str], at: SnapshotContext, tx: Transaction
) -> Counter[str]:
    """A full list does not name these people any more."""
    counts: Counter[str] = Counter()
    for person in (await tx.participants.many(refs, scoped=False)).values():
        outcome = custody.record_missing(person, at)
        if outcome.after == person:
            continue
        counts["still_missing"] += not outcome.movements
        after = await _save_participant(person, outcome, counts, tx)
        for doubt in outcome.doubts:
            await _open_doubt_task(doubt, after, at, tx)
    return counts


async def open_stopped_row_tasks(
    row: ListedRow, errors: Iterable[RowError], facility_id: str, tx: Transaction
) -> None:
    """A row that may not be applied asks a person to mend it: once, however many days it stands there."""
    facility = await tx.facilities.get(facility_id, scoped=False)
    for error in errors:
        if error.effect is Effect.ROW:
            known = row.source_ref or named_id(facility_id, row.name, row.register_no)
            facts = {
                "field": error.field,
                "reason": error.reason.value,
                "column": error.column,
                "row": str(error.row),
                "sheet": error.sheet,
                "source_ref": row.source_ref,
                "raw": error.raw,
            }
            subject = f"{known}/{error.field}/{error.raw}"
            opened = items.open_task(
                TaskKind.ROW_STOPPED,
                facility_id,
                tx.now,
                facility.local_date(tx.now),
                subject=subject,
                facts={name: value for name, value in facts.items() if value},
            )
            await inbox.open_task(opened, tx)


async def _apply_row(row: ListedRow, work: RowBatch) -> None:
    person = work.people.get(row.source_ref)
    if person is not None and person.merged_into:
        person = work.by_id[person.merged_into]
    if (
        person is not None
        and row.admission_date is not None
        and custody.is_superseded(
            person, row.source_ref, row.admission_date, work.listed_refs, work.snapshot.facility_id
        )
    ):
        return
    identity = work.identities.get(person.id) if person else None
    ref = person.id if person else new_id()
    number = _encrypt_new_nik(row, identity, ref, work)
    change = rules.compute_change(row, person, identity, number, ref, work.snapshot, work.mapping)
    _report_errors(change.errors, work)
    outcome = RowOutcome(
        after=change.participant,
        movements=change.movements,
        planned_release_on=change.planned_release_on,
    )
    after = work.remember(await _save_participant(person, outcome, work.counts, work.tx))
    _save_identity(change, identity, work)
    if number is not None and change.identity.nik_lookup == number.lookup:
        work.new_niks.append((after.id, work.vault.lookups(row.nik)))
    for doubt in change.doubts:
        await _open_doubt_task(doubt, after, work.snapshot, work.tx)
    if (
        MovementKind.DETAILS_CHANGED in {movement.kind for movement in change.movements}
        or change.planned_release_on
    ):
        await enrolments.report_new_blocks(after, work.tx)


def _encrypt_new_nik(
    row: ListedRow, identity: Identity | None, ref: str, work: RowBatch
) -> EncryptedNik | None:
    if not row.nik or (
        identity and identities.is_stored_nik(identity, work.vault.lookups(row.nik))
    ):
        return None
    return EncryptedNik(
        sealed=work.vault.encrypt(row.nik, ref),
        lookup=work.vault.lookup(row.nik),
        lookup_key=work.vault.lookup_key,
        last4=row.nik[-4:],
    )


def _save_identity(change: RowChange, before: Identity | None, work: RowBatch) -> None:
    if before is None:
        work.identities[change.identity.id] = work.tx.identities.add(change.identity)
    elif change.identity != before:
        work.identities[change.identity.id] = work.tx.identities.save(before, change.identity)


async def _save_participant(
    before: Participant | None, outcome: RowOutcome, counts: Counter[str], tx: Transaction
) -> Participant:
    """Store a person's outcome with its movements and all that follows from them; the person as stored."""
    after = outcome.after
    for movement in outcome.movements:
        counts[movement.kind] += 1
        counts["readmitted"] += movement.readmission
        if movement.kind is MovementKind.RELEASED:
            counts[f"released.{movement.code}"] += 1
        tx.movements.add(
            movement, custody.build_movement_events(movement), scoped=False
        )  # a release may end a stay in another facility
    planned = (
        [
            events.ReleasePlanned(
                participant_ref=after.id,
                facility_id=after.facility_id,
                expected_on=outcome.planned_release_on,
            )
        ]
        if outcome.planned_release_on
        else []
    )
    counts["release_planned"] += len(planned)
    if before is None:
        return tx.participants.add(after, planned)
    saved = (
        before if after == before and not planned else tx.participants.save(before, after, planned)
    )
    for movement in outcome.movements:
        if movement.kind in _KINDS_AFFECTING_ENROLMENTS:
            await enrolments.apply_movement(movement, saved, tx)
        if (
            movement.kind in _RESOLUTION_OF_MISSING
            and before.missing_snapshots >= custody.MISSING_AFTER_SNAPSHOTS
        ):
            await inbox.resolve_for_participant(
                saved.id, TaskKind.MISSING, _RESOLUTION_OF_MISSING[movement.kind], tx
            )
    return saved


async def _merge_row(row: ListedRow, work: RowBatch) -> None:
    """The source says that two of its records are one person."""
    person = work.people.get(row.source_ref)
    into = work.people.get(row.merged_into)
    if into is not None and into.merged_into:
        into = work.by_id.get(into.merged_into)
    if into is None or (person is None and row.source_ref == row.merged_into):
        error = RowError(
            sheet=row.sheet,
            row=row.number,
            column=work.mapping.columns["merged_into"],
            field="merged_into",
            reason=RowReason.MERGE_TARGET_UNKNOWN,
            effect=Effect.ROW,
            raw=row.merged_into,
        )
        _report_errors([error], work)
        await open_stopped_row_tasks(row, [error], work.snapshot.facility_id, work.tx)
        return
    if person is None or person.state is Custody.MERGED or person.id == into.id:
        return
    gone, kept = await merges.merge_records(
        person,
        into,
        work.snapshot.as_of,
        work.snapshot.taken_on,
        work.snapshot.snapshot_id,
        work.tx,
    )
    work.remember(gone)
    work.remember(kept)
    work.counts[MovementKind.MERGED] += 1


def _report_errors(errors: Iterable[RowError], work: RowBatch) -> None:
    for error in errors:
        work.tx.row_errors.add(
            rules.build_reported_error(work.snapshot.snapshot_id, work.snapshot.facility_id, error)
        )


async def _open_doubt_task(
    doubt: Doubt, person: Participant, at: SnapshotContext, tx: Transaction
) -> None:
    facility = await tx.facilities.get(at.facility_id, scoped=False)
    facts = {"source_ref": person.source_ref}
    also: frozenset[str] = frozenset()
    if doubt is Doubt.CUSTODY_CONFLICT:
        facts["also"] = person.facility_id
        also = frozenset({person.facility_id})
    if doubt is Doubt.MISSING:
        facts["snapshots"] = str(person.missing_snapshots)
    subject = str(person.last_stay.no) if person.last_stay else ""
    opened = items.open_task(
        TaskKind(doubt.value),
        at.facility_id,
        tx.now,
        facility.local_date(tx.now),
        participant_ref=person.id,
        subject=subject,
        facts=facts,
        other_facilities=also,
    )
    await inbox.open_task(opened, tx)


async def _find_same_niks(work: RowBatch) -> None:
    """A NIK that stands in another record too: a proposal, or a merge after the day's imports when the birth dates agree and not both are in custody."""
    if not work.new_niks:
        return
    sharing = await work.tx.identities.list_by_lookups(
        {lookup for _, lookups in work.new_niks for lookup in lookups}
    )
    people = await work.tx.participants.many({identity.id for identity in sharing}, scoped=False)
    later = {own for own, _ in work.new_niks}
    for own, lookups in work.new_niks:
        later.discard(own)
        for other in sharing:
            if (
                other.id != own
                and other.id not in later
                and other.nik_lookup in lookups
                and people[other.id].state is not Custody.MERGED
            ):
                await _propose_merge(people[own], people[other.id], work)


async def _propose_merge(own: Participant, other: Participant, work: RowBatch) -> None:
    pair = named_id(*sorted((own.id, other.id)))
    mine, theirs = [
        (await work.tx.identities.many([person.id], scoped=False))[person.id]
        for person in (own, other)
    ]
    if mine.birth_date == theirs.birth_date and (own.open_stay is None or other.open_stay is None):
        if await work.tx.merge_candidates.seek(pair, scoped=False) is None:
            work.tx.merge_candidates.add(
                MergeCandidate(
                    id=pair,
                    one=own.id,
                    other=other.id,
                    facility_id=work.snapshot.facility_id,
                    seen_on=work.snapshot.taken_on,
                )
            )
        return
    differing = [
        name
        for name in ("name", "birth_date", "sex", "register_no")
        if getattr(mine, name) != getattr(theirs, name)
    ]
    facts = {
        "source_ref": own.source_ref,
        "other_source_ref": other.source_ref,
        "other_ref": other.id,
        "differs": ",".join(differing),
    }
    facility = await work.tx.facilities.get(work.snapshot.facility_id, scoped=False)
    opened = items.open_task(
        TaskKind.MERGE_PROPOSAL,
        work.snapshot.facility_id,
        work.tx.now,
        facility.local_date(work.tx.now),
        participant_ref=own.id,
        subject=pair,
        facts=facts,
        other_facilities=frozenset({other.facility_id}),
    )
    await inbox.open_task(opened, work.tx)
