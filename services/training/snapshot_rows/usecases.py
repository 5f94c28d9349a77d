"""What happens: listed rows are applied to the people they speak of. Every step may run again; a movement that exists is not made twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as made

from chassis.ids import named_id, new_id
from services.training import events
from services.training.enrolments import usecases as enrolments
from services.training.identities import rules as identities
from services.training.identities.rules import Identity, Number
from services.training.mappings.rules import Mapping
from services.training.merges import usecases as merges
from services.training.merges.rules import MergeCandidate
from services.training.participants import rules as custody
from services.training.participants.rules import (
    Custody,
    Doubt,
    MovementKind,
    Outcome,
    Participant,
    Sighting,
)
from services.training.snapshot_rows import rules
from services.training.snapshot_rows.rules import Difference, Effect, Listed, RowError, RowReason
from services.training.tasks import rules as items
from services.training.tasks import usecases as inbox
from services.training.tasks.rules import ItemKind
from services.training.transaction import Transaction
from services.training.vault import Vault

_FOLLOWED = frozenset(
    {
        MovementKind.TRANSFERRED,
        MovementKind.RELEASED,
        MovementKind.ABSENT,
        MovementKind.RETURNED,
        MovementKind.MISSING,
        MovementKind.RESTORED,
    }
)
_ANSWERS = {
    MovementKind.RESTORED: "restored",
    MovementKind.TRANSFERRED: "transferred",
    MovementKind.RELEASED: "released",
}


@dataclass(slots=True)
class Applying:
    """What is known while the rows of one snapshot are applied in one transaction."""

    tx: Transaction
    at: Sighting
    mapping: Mapping
    listed: frozenset[str]
    people: dict[str, Participant] = made(default_factory=dict)
    by_id: dict[str, Participant] = made(default_factory=dict)
    identities: dict[str, Identity] = made(default_factory=dict)
    numbers: list[tuple[str, list[str]]] = made(default_factory=list)
    counts: Counter[str] = made(default_factory=Counter)

    def keep(self, person: Participant) -> Participant:
        """Remember a person as stored now."""
        self.people[person.source_ref] = self.by_id[person.id] = person
        return person

    @property
    def vault(self) -> Vault:
        """Where NIKs are sealed."""
        return self.tx.parts["vault"]


async def apply_rows(
    rows: Sequence[Listed], at: Sighting, mapping: Mapping, listed: frozenset[str], tx: Transaction
) -> Counter[str]:
    """Apply rows that did not stop; what they changed, counted. `listed` holds every reference of the snapshot."""
    work = Applying(tx, at, mapping, listed)
    found = await tx.participants.of_sources(
        {ref for row in rows for ref in (row.source_ref, row.merged_into) if ref}
    )
    survivors = await tx.participants.many(
        {person.merged_into for person in found.values() if person.merged_into}, scoped=False
    )
    for person in (*survivors.values(), *found.values()):
        work.keep(person)
    work.identities = await tx.identities.many(work.by_id, scoped=False)
    for row in rows:
        if row.merged_into:
            await _merge(row, work)
        else:
            await _apply(row, work)
    await _same_numbers(work)
    return work.counts


async def miss_people(refs: Iterable[str], at: Sighting, tx: Transaction) -> Counter[str]:
    """A full list does not name these people any more."""
    counts: Counter[str] = Counter()
    for person in (await tx.participants.many(refs, scoped=False)).values():
        outcome = custody.miss(person, at)
        if outcome.after == person:
            continue
        counts["still_missing"] += not outcome.movements
        after = await _write(person, outcome, counts, tx)
        for doubt in outcome.doubts:
            await _ask(doubt, after, at, tx)
    return counts


async def stop_row(
    row: Listed, errors: Iterable[RowError], facility_id: str, tx: Transaction
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
            opened = items.opened(
                ItemKind.ROW_STOPPED,
                facility_id,
                tx.now,
                facility.today(tx.now),
                subject=subject,
                facts={name: value for name, value in facts.items() if value},
            )
            await inbox.open_item(opened, tx)


async def _apply(row: Listed, work: Applying) -> None:
    person = work.people.get(row.source_ref)
    if person is not None and person.merged_into:
        person = work.by_id[person.merged_into]
    if (
        person is not None
        and row.admission_date is not None
        and custody.superseded(
            person, row.source_ref, row.admission_date, work.listed, work.at.facility_id
        )
    ):
        return
    identity = work.identities.get(person.id) if person else None
    ref = person.id if person else new_id()
    number = _number(row, identity, ref, work)
    change = rules.difference(row, person, identity, number, ref, work.at, work.mapping)
    _report(change.errors, work)
    outcome = Outcome(after=change.participant, movements=change.movements, planned=change.planned)
    after = work.keep(await _write(person, outcome, work.counts, work.tx))
    _write_identity(change, identity, work)
    if number is not None and change.identity.nik_lookup == number.lookup:
        work.numbers.append((after.id, work.vault.lookups(row.nik)))
    for doubt in change.doubts:
        await _ask(doubt, after, work.at, work.tx)
    if (
        MovementKind.DETAILS_CHANGED in {movement.kind for movement in change.movements}
        or change.planned
    ):
        await enrolments.reconsider(after, work.tx)


def _number(row: Listed, identity: Identity | None, ref: str, work: Applying) -> Number | None:
    if not row.nik or (identity and identities.knows(identity, work.vault.lookups(row.nik))):
        return None
    return Number(
        sealed=work.vault.seal(row.nik, ref),
        lookup=work.vault.lookup(row.nik),
        lookup_key=work.vault.lookup_key,
        last4=row.nik[-4:],
    )


def _write_identity(change: Difference, before: Identity | None, work: Applying) -> None:
    if before is None:
        work.identities[change.identity.id] = work.tx.identities.add(change.identity)
    elif change.identity != before:
        work.identities[change.identity.id] = work.tx.identities.save(before, change.identity)


async def _write(
    before: Participant | None, outcome: Outcome, counts: Counter[str], tx: Transaction
) -> Participant:
    """Store a person's outcome with its movements and all that follows from them; the person as stored."""
    after = outcome.after
    for movement in outcome.movements:
        counts[movement.kind] += 1
        counts["readmitted"] += movement.readmission
        if movement.kind is MovementKind.RELEASED:
            counts[f"released.{movement.code}"] += 1
        tx.movements.add(
            movement, custody.announced(movement), scoped=False
        )  # a release may end a stay in another facility
    planned = (
        [
            events.ReleasePlanned(
                participant_ref=after.id, facility_id=after.facility_id, expected_on=outcome.planned
            )
        ]
        if outcome.planned
        else []
    )
    counts["release_planned"] += len(planned)
    if before is None:
        return tx.participants.add(after, planned)
    saved = (
        before if after == before and not planned else tx.participants.save(before, after, planned)
    )
    for movement in outcome.movements:
        if movement.kind in _FOLLOWED:
            await enrolments.follow(movement, saved, tx)
        if movement.kind in _ANSWERS and before.missing_snapshots >= custody.MISSING_AFTER:
            await inbox.settle(saved.id, ItemKind.MISSING, _ANSWERS[movement.kind], tx)
    return saved


async def _merge(row: Listed, work: Applying) -> None:
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
        _report([error], work)
        await stop_row(row, [error], work.at.facility_id, work.tx)
        return
    if person is None or person.state is Custody.MERGED or person.id == into.id:
        return
    gone, kept = await merges.join(
        person, into, work.at.as_of, work.at.on, work.at.snapshot_id, work.tx
    )
    work.keep(gone)
    work.keep(kept)
    work.counts[MovementKind.MERGED] += 1


def _report(errors: Iterable[RowError], work: Applying) -> None:
    for error in errors:
        work.tx.row_errors.add(rules.reported(work.at.snapshot_id, work.at.facility_id, error))


async def _ask(doubt: Doubt, person: Participant, at: Sighting, tx: Transaction) -> None:
    facility = await tx.facilities.get(at.facility_id, scoped=False)
    facts = {"source_ref": person.source_ref}
    also: frozenset[str] = frozenset()
    if doubt is Doubt.CUSTODY_CONFLICT:
        facts["also"] = person.facility_id
        also = frozenset({person.facility_id})
    if doubt is Doubt.MISSING:
        facts["snapshots"] = str(person.missing_snapshots)
    subject = str(person.last_stay.no) if person.last_stay else ""
    opened = items.opened(
        ItemKind(doubt.value),
        at.facility_id,
        tx.now,
        facility.today(tx.now),
        participant_ref=person.id,
        subject=subject,
        facts=facts,
        also=also,
    )
    await inbox.open_item(opened, tx)


async def _same_numbers(work: Applying) -> None:
    """A NIK that stands in another record too: a proposal, or a merge after the day's imports when the birth dates agree and not both are in custody."""
    if not work.numbers:
        return
    sharing = await work.tx.identities.with_lookups(
        {lookup for _, lookups in work.numbers for lookup in lookups}
    )
    people = await work.tx.participants.many({identity.id for identity in sharing}, scoped=False)
    later = {own for own, _ in work.numbers}
    for own, lookups in work.numbers:
        later.discard(own)
        for other in sharing:
            if (
                other.id != own
                and other.id not in later
                and other.nik_lookup in lookups
                and people[other.id].state is not Custody.MERGED
            ):
                await _propose(people[own], people[other.id], work)


async def _propose(own: Participant, other: Participant, work: Applying) -> None:
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
                    facility_id=work.at.facility_id,
                    seen_on=work.at.on,
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
    facility = await work.tx.facilities.get(work.at.facility_id, scoped=False)
    opened = items.opened(
        ItemKind.MERGE_PROPOSAL,
        work.at.facility_id,
        work.tx.now,
        facility.today(work.tx.now),
        participant_ref=own.id,
        subject=pair,
        facts=facts,
        also=frozenset({other.facility_id}),
    )
    await inbox.open_item(opened, work.tx)
