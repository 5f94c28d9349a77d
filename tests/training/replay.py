"""The import in memory: the rules alone over dictionaries, as the use cases run them over the store. Not here: any rule."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from dataclasses import field as made
from datetime import datetime
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from services.training.identities import rules as identities
from services.training.identities.rules import EncryptedNik, Identity
from services.training.mappings.rules import FileMapping
from services.training.merges import rules as merges
from services.training.participants import rules as custody
from services.training.participants.rules import (
    Doubt,
    Movement,
    MovementKind,
    Participant,
    SnapshotContext,
)
from services.training.snapshot_rows.rules import (
    Effect,
    ListedRow,
    RowError,
    compute_change,
    read_row,
)
from services.training.snapshots import reader, rules
from services.training.vault import FieldCipher

ZONE = ZoneInfo("Asia/Jakarta")


@dataclass
class Report:
    """What one file did."""

    outcome: str = "accepted"
    reason: str = ""
    row_count: int = 0
    counts: Counter[str] = made(default_factory=Counter)
    released_by_kind: Counter[str] = made(default_factory=Counter)
    movements: dict[str, dict[str, Any]] = made(default_factory=dict)
    row_errors: list[RowError] = made(default_factory=list)
    inbox: list[dict[str, Any]] = made(default_factory=list)


def told(movement: Movement) -> Any:
    """What expected.json says of a movement beside its kind."""
    return {
        MovementKind.TRANSFERRED: movement.from_facility_id,
        MovementKind.RELEASED: {"kind": movement.code, "on": movement.effective_on.isoformat()},
        MovementKind.ABSENT: movement.code,
        MovementKind.DETAILS_CHANGED: list(movement.fields),
    }.get(movement.kind, True)


@dataclass
class World:
    """All facilities at once."""

    mappings: dict[str, FileMapping]
    vault: FieldCipher
    people: dict[str, Participant] = made(default_factory=dict)
    identities: dict[str, Identity] = made(default_factory=dict)
    by_source: dict[str, str] = made(default_factory=dict)
    rosters: dict[str, rules.Roster] = made(default_factory=dict)
    checksums: set[tuple[str, str]] = made(default_factory=set)
    open_items: set[tuple[Any, ...]] = made(default_factory=set)

    def take(self, facility_id: str, data: bytes, taken_at: datetime) -> Report:
        """Import one file."""
        report = Report()
        checksum = sha256(data).hexdigest()
        if (facility_id, checksum) in self.checksums:
            report.outcome = "duplicate"
            return report
        self.checksums.add((facility_id, checksum))
        mapping = self.mappings[facility_id]
        at = SnapshotContext(
            snapshot_id=checksum,
            facility_id=facility_id,
            as_of=taken_at,
            taken_on=taken_at.astimezone(ZONE).date(),
        )
        try:
            sheets = reader.read(data, mapping.layout)
        except reader.NotASnapshot:
            sheets = None
        read = [
            read_row(raw, mapping, at.taken_on)
            for raw in (sheets["rows"] if sheets and not sheets["missing"] else [])
        ]
        rows = [row for row, _ in read]
        last = self.rosters.get(facility_id, rules.Roster(id=facility_id))
        refused = rules.find_failed_guard(
            sheets, rows, facility_id, taken_at, last, limit_percent=10, is_full_list=True
        )
        if refused is not None:
            report.outcome, report.reason = "quarantined", refused
            report.inbox.append({"kind": "QUARANTINE", "reason": str(refused)})
            return report
        report.row_count = len(rows)
        report.row_errors = [error for _, errors in read for error in errors]
        listed = frozenset(row.source_ref for row in rows if row.source_ref)
        self.rosters[facility_id] = rules.Roster(
            id=facility_id, taken_at=taken_at, row_count=len(rows), refs=listed
        )
        for row, errors in sorted(read, key=lambda pair: bool(pair[0].merged_into)):
            if row.stopped:
                self._stopped(row, errors, report)
            else:
                self._row(row, listed, mapping, at, report)
        self._missing(listed, at, report)
        return report

    def _stopped(self, row: ListedRow, errors: list[RowError], report: Report) -> None:
        for error in errors:
            if error.effect is Effect.ROW:
                item: dict[str, Any] = {
                    "kind": "ROW_STOPPED",
                    "ref": row.source_ref or None,
                    "field": error.field,
                    "reason": str(error.reason),
                }
                self._open(
                    item | ({"raw": error.raw} if error.raw else {}),
                    ("ROW_STOPPED", row.source_ref, error.field, error.raw),
                    report,
                )

    def _row(
        self,
        row: ListedRow,
        listed: frozenset[str],
        mapping: FileMapping,
        at: SnapshotContext,
        report: Report,
    ) -> None:
        ref = self.by_source.get(row.source_ref)
        person = self.people[ref] if ref else None
        if row.merged_into:
            if person and person.state is not custody.Custody.MERGED:
                old, kept, movement = merges.merge(
                    person, self.people[self.by_source[row.merged_into]], at.as_of, at.taken_on
                )
                self.people |= {old.id: old, kept.id: kept}
                self._moved(movement.kind, row.source_ref, row.merged_into, report)
            return
        if person and person.merged_into:
            person = self.people[person.merged_into]
        if (
            person
            and row.admission_date
            and custody.is_superseded(
                person, row.source_ref, row.admission_date, listed, at.facility_id
            )
        ):
            return
        identity = self.identities.get(person.id) if person else None
        number = self._number(row, identity)
        change = compute_change(row, person, identity, number, row.source_ref, at, mapping)
        self.by_source[row.source_ref] = change.participant.id
        self.people[change.participant.id], self.identities[change.identity.id] = (
            change.participant,
            change.identity,
        )
        report.row_errors += change.errors
        report.counts["release_planned"] += change.planned_release_on is not None
        for movement in change.movements:
            report.counts["readmitted"] += movement.readmission
            if movement.kind is MovementKind.RELEASED:
                report.released_by_kind[movement.code] += 1
            self._moved(movement.kind, row.source_ref, told(movement), report)
        for doubt in change.doubts:
            item = {"kind": str(doubt), "ref": row.source_ref} | (
                {"also": change.participant.facility_id} if doubt is Doubt.CUSTODY_CONFLICT else {}
            )
            self._open(item, (doubt, row.source_ref), report)
        if number and change.identity.nik_lookup == number.lookup:
            self._same_number(row.source_ref, change.identity.id, number, report)

    def _number(self, row: ListedRow, identity: Identity | None) -> EncryptedNik | None:
        if not row.nik or (
            identity and identities.is_stored_nik(identity, self.vault.lookups(row.nik))
        ):
            return None
        return EncryptedNik(
            sealed=self.vault.encrypt(row.nik, row.source_ref),
            lookup=self.vault.lookup(row.nik),
            lookup_key=self.vault.lookup_key,
            last4=row.nik[-4:],
        )

    def _same_number(self, ref: str, own: str, number: EncryptedNik, report: Report) -> None:
        for other in sorted(self.identities.values(), key=lambda one: one.id):
            if (
                other.nik_lookup == number.lookup
                and other.id != own
                and self.people[other.id].state is not custody.Custody.MERGED
            ):
                self._open(
                    {"kind": "MERGE_PROPOSAL", "ref": ref, "other": other.id},
                    ("MERGE_PROPOSAL", *sorted((ref, other.id))),
                    report,
                )

    def _missing(self, listed: frozenset[str], at: SnapshotContext, report: Report) -> None:
        for person in list(self.people.values()):
            if person.state is custody.Custody.MERGED or listed & {
                person.source_ref,
                *person.other_refs,
            }:
                continue
            outcome = custody.record_missing(person, at)
            self.people[person.id] = outcome.after
            if outcome.after != person and not outcome.movements:
                report.counts["still_missing"] += 1
            for movement in outcome.movements:
                self._moved(movement.kind, person.source_ref, told(movement), report)
            for doubt in outcome.doubts:
                self._open(
                    {"kind": str(doubt), "ref": person.source_ref},
                    (doubt, person.source_ref),
                    report,
                )

    def _moved(self, kind: MovementKind, ref: str, told: Any, report: Report) -> None:
        report.counts[kind] += 1
        report.movements.setdefault(kind, {})[ref] = told

    def _open(self, item: dict[str, Any], key: tuple[Any, ...], report: Report) -> None:
        if key not in self.open_items:
            self.open_items.add(key)
            report.inbox.append(item)
