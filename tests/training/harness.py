"""The import in memory: rules over dictionaries, as the use cases run them over stores.

Not here: any rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from chassis.persistence.field_encryption import FieldCipher, LookupKeys
from services.training.identities import rules as identities
from services.training.identities.rules import EncryptedNik, Identity
from services.training.mappings import reader
from services.training.mappings.parsed_file import ParsedFile
from services.training.mappings.rules import FileMapping
from services.training.merges import rules as merges
from services.training.participants import custody
from services.training.participants.rules import (
    CustodyState,
    Doubt,
    Movement,
    MovementKind,
    Participant,
    SnapshotContext,
)
from services.training.snapshot_rows.row_reader import read_row
from services.training.snapshot_rows.rules import (
    ListedRow,
    RowError,
    RowErrorEffect,
    compute_change,
    custody_facts,
)
from services.training.snapshots import rules

ZONE = ZoneInfo("Asia/Jakarta")


@dataclass
class ImportReport:
    """The report of one imported file."""

    outcome: str = "accepted"
    reason: str = ""
    row_count: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    released_by_kind: Counter[str] = field(default_factory=Counter)
    movements: dict[str, dict[str, Any]] = field(default_factory=dict)
    row_errors: list[RowError] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)


def describe(movement: Movement) -> Any:
    """Return what expected.json says of a movement beside its kind."""
    match movement.kind:
        case MovementKind.TRANSFERRED:
            return movement.from_facility_id
        case MovementKind.RELEASED:
            return {"kind": movement.code, "on": movement.effective_on.isoformat()}
        case MovementKind.ABSENT:
            return movement.code
        case MovementKind.DETAILS_CHANGED:
            return list(movement.fields)
        case _:
            return True


def _quarantined(guard: rules.Guard) -> ImportReport:
    task = {"kind": "QUARANTINE", "reason": str(guard)}
    return ImportReport(outcome="quarantined", reason=guard, tasks=[task])


@dataclass
class ImportHarness:
    """All facilities at once."""

    mappings: dict[str, FileMapping]
    cipher: FieldCipher
    lookup_keys: LookupKeys
    people: dict[str, Participant] = field(default_factory=dict)
    identities: dict[str, Identity] = field(default_factory=dict)
    by_source: dict[str, str] = field(default_factory=dict)
    rosters: dict[str, rules.Roster] = field(default_factory=dict)
    accepted: dict[str, str] = field(default_factory=dict)
    open_tasks: set[tuple[Any, ...]] = field(default_factory=set)

    def import_file(self, facility_id: str, data: bytes, taken_at: datetime) -> ImportReport:
        """Import one file."""
        checksum = sha256(data).hexdigest()
        if self.accepted.get(facility_id) == checksum:
            return ImportReport(outcome="duplicate")
        mapping = self.mappings[facility_id]
        at = SnapshotContext(
            snapshot_id=checksum,
            facility_id=facility_id,
            as_of=taken_at,
            taken_on=taken_at.astimezone(ZONE).date(),
        )
        try:
            parsed = ParsedFile.of(reader.read(data, mapping.layout))
        except reader.NotASnapshot:
            return _quarantined(rules.Guard.UNREADABLE)
        read = [read_row(row, mapping, at.taken_on) for row in parsed.rows]
        rows = [row for row, _ in read]
        judged = rules.JudgedList(
            file=parsed,
            rows=rows,
            taken_at=taken_at,
            transfers_in=sum(self._is_transfer(row, at) for row in rows),
            is_full_list=True,
            limit_percent=10,
        )
        last = self.rosters.get(facility_id, rules.Roster(id=facility_id))
        guard = rules.find_failed_guard(judged, facility_id, last)
        if guard is not None:
            return _quarantined(guard)
        self.accepted[facility_id] = checksum
        return self._apply(read, mapping, at)

    def _is_transfer(self, row: ListedRow, at: SnapshotContext) -> bool:
        ref = self.by_source.get(row.source_ref)
        if ref is None or row.stopped or row.merged_into:
            return False
        return custody.is_transfer_in(self.people[ref], custody_facts(row), at)

    def _apply(
        self,
        read: Sequence[tuple[ListedRow, list[RowError]]],
        mapping: FileMapping,
        at: SnapshotContext,
    ) -> ImportReport:
        report = ImportReport(row_count=len(read))
        for _, errors in read:
            report.row_errors += errors
        listed = frozenset(row.source_ref for row, _ in read if row.source_ref)
        self.rosters[at.facility_id] = rules.Roster(
            id=at.facility_id, taken_at=at.as_of, row_count=len(read), refs=listed
        )
        for row, errors in sorted(read, key=lambda pair: bool(pair[0].merged_into)):
            if row.stopped:
                self._open_stopped_tasks(row, errors, report)
            elif row.merged_into:
                self._merge_row(row, at, report)
            else:
                self._apply_row(row, listed, mapping, at, report)
        self._record_missing(listed, at, report)
        return report

    def _open_stopped_tasks(
        self, row: ListedRow, errors: list[RowError], report: ImportReport
    ) -> None:
        for error in errors:
            if error.effect is not RowErrorEffect.ROW:
                continue
            task: dict[str, Any] = {
                "kind": "ROW_STOPPED",
                "ref": row.source_ref or None,
                "field": error.field,
                "reason": str(error.reason),
            }
            if error.raw:
                task["raw"] = error.raw
            self._open_task(task, ("ROW_STOPPED", row.source_ref, error.field, error.raw), report)

    def _merge_row(self, row: ListedRow, at: SnapshotContext, report: ImportReport) -> None:
        ref = self.by_source.get(row.source_ref)
        person = self.people[ref] if ref else None
        if person is None or person.state is CustodyState.MERGED:
            return
        into = self.people[self.by_source[row.merged_into]]
        gone, kept, movement = merges.merge(person, into, at.as_of, at.taken_on)
        self.people |= {gone.id: gone, kept.id: kept}
        self._add_movement(movement.kind, row.source_ref, row.merged_into, report)

    def _apply_row(
        self,
        row: ListedRow,
        listed: frozenset[str],
        mapping: FileMapping,
        at: SnapshotContext,
        report: ImportReport,
    ) -> None:
        ref = self.by_source.get(row.source_ref)
        person = self.people[ref] if ref else None
        if person and person.merged_into:
            person = self.people[person.merged_into]
        if person and row.admission_date:
            on = row.admission_date
            if custody.is_superseded(person, row.source_ref, on, listed, at.facility_id):
                return
        identity = self.identities.get(person.id) if person else None
        nik = self._encrypt_nik(row, identity)
        change = compute_change(row, person, identity, nik, row.source_ref, at, mapping)
        after = change.participant
        self.by_source[row.source_ref] = after.id
        self.people[after.id] = after
        self.identities[change.identity.id] = change.identity
        report.row_errors += change.errors
        report.counts["release_planned"] += change.planned_release_on is not None
        for movement in change.movements:
            report.counts["readmitted"] += movement.readmission
            if movement.kind is MovementKind.RELEASED:
                report.released_by_kind[movement.code] += 1
            self._add_movement(movement.kind, row.source_ref, describe(movement), report)
        for doubt in change.doubts:
            task = {"kind": str(doubt), "ref": row.source_ref}
            if doubt is Doubt.CUSTODY_CONFLICT:
                task["also"] = after.facility_id
            self._open_task(task, (doubt, row.source_ref), report)
        if nik and change.identity.nik_lookup == nik.lookup:
            self._propose_merges(row.source_ref, change.identity.id, nik, report)

    def _encrypt_nik(self, row: ListedRow, identity: Identity | None) -> EncryptedNik | None:
        if not row.nik:
            return None
        if identity and identities.is_stored_nik(identity, self.lookup_keys.values(row.nik)):
            return None
        return EncryptedNik(
            sealed=self.cipher.encrypt(row.nik, row.source_ref),
            lookup=self.lookup_keys.value(row.nik),
            lookup_key=self.lookup_keys.key_id,
            last4=row.nik[-4:],
        )

    def _propose_merges(
        self, source_ref: str, own_id: str, nik: EncryptedNik, report: ImportReport
    ) -> None:
        for other in sorted(self.identities.values(), key=lambda identity: identity.id):
            if other.id == own_id or other.nik_lookup != nik.lookup:
                continue
            if self.people[other.id].state is not CustodyState.MERGED:
                task = {"kind": "MERGE_PROPOSAL", "ref": source_ref, "other": other.id}
                key = ("MERGE_PROPOSAL", *sorted((source_ref, other.id)))
                self._open_task(task, key, report)

    def _record_missing(
        self, listed: frozenset[str], at: SnapshotContext, report: ImportReport
    ) -> None:
        for person in list(self.people.values()):
            is_listed = bool(listed & {person.source_ref, *person.other_refs})
            if is_listed or person.state is CustodyState.MERGED:
                continue
            outcome = custody.record_missing(person, at)
            self.people[person.id] = outcome.after
            if outcome.after != person and not outcome.movements:
                report.counts["still_missing"] += 1
            for movement in outcome.movements:
                self._add_movement(movement.kind, person.source_ref, describe(movement), report)
            for doubt in outcome.doubts:
                task = {"kind": str(doubt), "ref": person.source_ref}
                self._open_task(task, (doubt, person.source_ref), report)

    def _add_movement(
        self, kind: MovementKind, ref: str, description: Any, report: ImportReport
    ) -> None:
        report.counts[kind] += 1
        report.movements.setdefault(kind, {})[ref] = description

    def _open_task(self, task: dict[str, Any], key: tuple[Any, ...], report: ImportReport) -> None:
        if key not in self.open_tasks:
            self.open_tasks.add(key)
            report.tasks.append(task)
