"""What a listed row says, and what it changes of one person, custody and identity together. Not here: finding the person or writing the change."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from datetime import date, timedelta
from enum import StrEnum

from services.training.identities import rules as identities
from services.training.identities.rules import (
    EncryptedNik,
    Identity,
    IdentityFacts,
    NikProblem,
    check_nik,
)
from services.training.mappings.rules import STATUS_NOTE, FileMapping
from services.training.participants.rules import (
    DETAIL_FIELDS,
    CustodyFacts,
    Doubt,
    Movement,
    Participant,
    SnapshotContext,
    apply_row,
)
from services.training.snapshots.reader import DATE, FORMULA, NUMBER, RawRow, collapse_spaces, fold

STATUS_FIELD = "absence_or_release"
_EXCEL_EPOCH = date(1899, 12, 30)
_NUMERIC_DATE = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4}|\d{2})")
_WORDED_DATE = re.compile(r"(\d{1,2}) (\S+) (\d{4})")
MAX_RAW_LENGTH = 60


class Effect(StrEnum):
    """What a bad cell costs."""

    ROW = "row"
    FIELD = "field"
    WARNING = "warning"


class RowReason(StrEnum):
    """Why a cell or a row could not be taken as it stands."""

    REQUIRED_EMPTY = "REQUIRED_EMPTY"
    FORMULA_CELL = "FORMULA_CELL"
    DATE_INVALID = "DATE_INVALID"
    VALUE_UNMAPPED = "VALUE_UNMAPPED"
    ROW_SHAPE = "ROW_SHAPE"
    FIELD_EMPTIED = "FIELD_EMPTIED"
    MERGE_TARGET_UNKNOWN = "MERGE_TARGET_UNKNOWN"
    ROW_FAILED = "ROW_FAILED"
    NIK_NUMBER_CELL = "NIK_NUMBER_CELL"
    NIK_LENGTH = "NIK_LENGTH"
    NIK_DAY = "NIK_DAY"
    NIK_MONTH = "NIK_MONTH"
    NIK_SERIAL = "NIK_SERIAL"
    NIK_BIRTH_DATE_DIFFERS = "NIK_BIRTH_DATE_DIFFERS"
    NIK_SEX_DIFFERS = "NIK_SEX_DIFFERS"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowError:
    """One thing wrong with one row; `raw` only where an officer needs it to mend the mapping or the list."""

    sheet: str
    row: int
    column: str
    field: str
    reason: RowReason
    effect: Effect
    raw: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedError:
    """A row error of one snapshot; ids follow the sheets and their rows."""

    id: str
    version: int = 0
    snapshot_id: str
    facility_id: str
    error: RowError


def build_reported_error(snapshot_id: str, facility_id: str, error: RowError) -> ReportedError:
    """An error of a snapshot as it is kept; the same error has the same id."""
    return ReportedError(
        id=f"{snapshot_id}/{error.sheet}/{error.row:06d}/{error.field}/{error.reason}",
        snapshot_id=snapshot_id,
        facility_id=facility_id,
        error=error,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRow:
    """What a snapshot says of one person. `stopped` says that nothing of it may be applied; `lost` names fields whose stored value stays."""

    sheet: str
    number: int
    source_ref: str
    stopped: bool = False
    lost: frozenset[str] = frozenset()
    name: str = ""
    register_no: str = ""
    nik: str = ""
    nik_given: bool = False
    birth_date: date | None = None
    sex: str = ""
    legal_status: str = ""
    admission_date: date | None = None
    expected_release: date | None = None
    two_thirds_date: date | None = None
    block: str = ""
    education: str = ""
    risk: str = ""
    absence: str = ""
    release: str = ""
    release_date: date | None = None
    merged_into: str = ""


@dataclass(slots=True)
class _RowReader:
    """One row while it is being read."""

    raw: RawRow
    mapping: FileMapping
    taken_on: date
    errors: list[RowError] = dataclass_field(default_factory=list)
    lost: set[str] = dataclass_field(default_factory=set)
    stopped: bool = False

    def report(
        self,
        name: str,
        reason: RowReason,
        effect: Effect,
        *,
        raw: str = "",
        reported_field: str | None = None,
    ) -> None:
        self.errors.append(
            RowError(
                sheet=self.raw["sheet"] or "",
                row=self.raw["number"],
                column=self.mapping.columns.get(name, ""),
                field=reported_field or name,
                reason=reason,
                effect=effect,
                raw=raw[:MAX_RAW_LENGTH],
            )
        )
        if effect is Effect.FIELD:
            self.lost.add(name)
        self.stopped = self.stopped or effect is Effect.ROW

    def read_cell(self, name: str) -> tuple[str, str] | None:
        """(kind, text) of the field, None when it is empty."""
        cell = self.raw["cells"].get(name)
        return (
            None
            if cell is None or (cell[0] != FORMULA and fold(cell[1]) in self.mapping.empty_values)
            else (cell[0], cell[1])
        )

    def read_text(self, name: str) -> str:
        """The field's text. A formula, or nothing where something is required, costs what the field is worth."""
        cell = self.read_cell(name)
        effect = Effect.ROW if name in self.mapping.required else Effect.FIELD
        if cell is None:
            if name in self.mapping.required:
                self.report(name, RowReason.REQUIRED_EMPTY, effect)
            return ""
        if cell[0] == FORMULA:
            self.report(name, RowReason.FORMULA_CELL, effect)
            return ""
        return cell[1]

    def read_code(
        self, name: str, effect: Effect | None = None, *, reported_field: str | None = None
    ) -> str:
        """The code of the field's word; an unknown word costs `effect`: by default the row where it drives a state, else the field."""
        cell = self.read_cell(name)
        effect = effect or (Effect.ROW if name in self.mapping.state_driving else Effect.FIELD)
        if cell is None:
            return ""
        if cell[0] == FORMULA:
            self.report(name, RowReason.FORMULA_CELL, effect, reported_field=reported_field)
            return ""
        code = self.mapping.values.get(name, {}).get(fold(cell[1]), "")
        if not code:
            self.report(
                name, RowReason.VALUE_UNMAPPED, effect, raw=cell[1], reported_field=reported_field
            )
        return code

    def read_date(self, name: str) -> date | None:
        """The field's date; one that does not exist, or is in no stated form, costs the field, or the row where it is required."""
        cell = self.read_cell(name)
        effect = Effect.ROW if name in self.mapping.required else Effect.FIELD
        if cell is None:
            if name in self.mapping.required:
                self.report(name, RowReason.REQUIRED_EMPTY, effect)
            return None
        found = _parse_date(cell, name, self.mapping, self.taken_on)
        if found is None:
            self.report(name, RowReason.DATE_INVALID, effect, raw=cell[1])
        return found


def read_row(raw: RawRow, mapping: FileMapping, taken_on: date) -> tuple[ListedRow, list[RowError]]:
    """The facts of one row and what is wrong with it. `taken_on` is the facility's local date of the snapshot."""
    row = _RowReader(raw, mapping, taken_on)
    source_ref = row.read_text("source_ref")
    if not raw["whole"]:
        row.report("source_ref", RowReason.ROW_SHAPE, Effect.ROW)
    name = row.read_text("name")
    admission = row.read_date("admission_date")
    if admission is not None and admission > taken_on:
        row.report("admission_date", RowReason.DATE_INVALID, Effect.ROW, raw=admission.isoformat())
    absence, release = _read_status(row)
    birth_date, sex = row.read_date("birth_date"), row.read_code("sex")
    nik, given = _read_nik(row, birth_date, sex)
    listed = ListedRow(
        sheet=raw["sheet"] or "",
        number=raw["number"],
        source_ref=source_ref,
        name=name,
        register_no=row.read_text("register_no"),
        nik=nik,
        nik_given=given,
        birth_date=birth_date,
        sex=sex,
        legal_status=row.read_code("legal_status"),
        admission_date=admission,
        expected_release=row.read_date("expected_release"),
        two_thirds_date=row.read_date("two_thirds_date"),
        block=row.read_text("block"),
        education=row.read_code("education"),
        risk=row.read_code("risk"),
        absence=absence,
        release=release,
        release_date=row.read_date("release_date"),
        merged_into=row.read_text("merged_into"),
    )
    return replace(listed, stopped=row.stopped, lost=frozenset(row.lost)), row.errors


def _read_status(row: _RowReader) -> tuple[str, str]:
    if STATUS_NOTE in row.mapping.columns:
        stops = Effect.ROW if row.mapping.state_driving & {"absence", "release"} else Effect.FIELD
        kind, _, code = row.read_code(STATUS_NOTE, stops, reported_field=STATUS_FIELD).partition(
            ":"
        )
        return (code, "") if kind == "absence" else ("", code)
    return row.read_code("absence"), row.read_code("release")


def _read_nik(row: _RowReader, birth_date: date | None, sex: str) -> tuple[str, bool]:
    """(digits, whether anything stood in the cell). Digits only when they may be stored."""
    cell = row.read_cell("nik")
    if cell is None:
        return "", False
    kind, digits = cell
    if kind != "text":
        row.report(
            "nik",
            RowReason.NIK_NUMBER_CELL if kind == NUMBER else RowReason.FORMULA_CELL,
            Effect.FIELD,
        )
        return "", True
    for mark in row.mapping.nik_strip:
        digits = digits.replace(mark, "")
    verdict = check_nik(digits, birth_date, sex)
    if isinstance(verdict, NikProblem):
        row.report("nik", RowReason(verdict), Effect.FIELD)
        return "", True
    for warning in verdict:
        row.report("nik", RowReason(warning), Effect.WARNING)
    return digits, True


def _parse_date(
    cell: tuple[str, str], name: str, mapping: FileMapping, taken_on: date
) -> date | None:
    kind, text = cell
    if kind in {DATE, NUMBER}:
        if "excel_date" not in mapping.date_formats:
            return None
        return date.fromisoformat(text) if kind == DATE else _parse_excel_serial(text)
    if kind == FORMULA:
        return None
    for form in mapping.date_formats:
        parts = _split_date(collapse_spaces(text), form, mapping)
        if parts is not None:
            day, month, year = parts
            try:
                return date(
                    _complete_year(year, name, mapping, taken_on)
                    if len(form) == len("dd/mm/yy")
                    else year,
                    month,
                    day,
                )
            except ValueError:
                return None
    return None


def _parse_excel_serial(text: str) -> date | None:
    try:
        return _EXCEL_EPOCH + timedelta(days=int(text))
    except (ValueError, OverflowError):
        return None


def _split_date(text: str, form: str, mapping: FileMapping) -> tuple[int, int, int] | None:
    if form == "d month yyyy":
        worded = _WORDED_DATE.fullmatch(text)
        if worded is None or (month := mapping.months.get(fold(worded[2]))) is None:
            return None
        return int(worded[1]), month, int(worded[3])
    numeric = _NUMERIC_DATE.fullmatch(text)
    if numeric is None or form != f"dd{numeric[2]}mm{numeric[2]}{'y' * len(numeric[4])}":
        return None
    return int(numeric[1]), int(numeric[3]), int(numeric[4])


def _complete_year(year: int, name: str, mapping: FileMapping, taken_on: date) -> int:
    return (
        2000 + year if name in mapping.future_years or 2000 + year <= taken_on.year else 1900 + year
    )


_IDENTITY_FIELDS = ("register_no", "birth_date", "sex")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """A person before and after a row; `before` is None for a person first seen."""

    participant: Participant
    identity: Identity
    movements: tuple[Movement, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    errors: tuple[RowError, ...] = ()
    planned_release_on: date | None = None


def compute_change(
    row: ListedRow,
    person: Participant | None,
    identity: Identity | None,
    number: EncryptedNik | None,
    ref: str,
    at: SnapshotContext,
    mapping: FileMapping,
) -> RowChange:
    """What the row changes. `number` is the row's NIK when it is not the stored one; `ref` names a person not known yet. The row must not be a stopped one."""
    if row.admission_date is None:
        message = "a stopped row changes nothing"
        raise ValueError(message)
    facts = CustodyFacts(
        admission_date=row.admission_date,
        legal_status=row.legal_status,
        expected_release=row.expected_release,
        two_thirds_date=row.two_thirds_date,
        block=row.block,
        education=row.education,
        risk=row.risk,
        absence=row.absence,
        release=row.release,
        release_date=row.release_date,
    )
    said = IdentityFacts(
        name=row.name,
        register_no=row.register_no,
        birth_date=row.birth_date,
        sex=row.sex,
        nik_given=row.nik_given,
    )
    known = identity or identities.create_identity(
        person.id if person else ref, at.facility_id, said, number
    )
    told, changed = identities.update_identity(known, said, number)
    outcome = apply_row(person, ref, row.source_ref, facts, changed, at)
    heard = identity is None or outcome.is_accepted
    return RowChange(
        participant=outcome.after,
        identity=replace(told, facility_id=outcome.after.facility_id) if heard else known,
        movements=outcome.movements,
        doubts=outcome.doubts,
        errors=_warn_of_emptied_fields(row, person, identity, mapping)
        if outcome.is_accepted and person and person.open_stay and identity
        else (),
        planned_release_on=outcome.planned_release_on,
    )


def _warn_of_emptied_fields(
    row: ListedRow, person: Participant, identity: Identity, mapping: FileMapping
) -> tuple[RowError, ...]:
    """A warning for each field that was known and stands empty now; the stored value stays."""
    stored = {name: getattr(person, name) for name in DETAIL_FIELDS} | {
        name: getattr(identity, name) for name in _IDENTITY_FIELDS
    }
    emptied = [
        name
        for name, value in stored.items()
        if value and not getattr(row, name) and name not in row.lost
    ]
    if identity.nik is not None and not row.nik_given:
        emptied.append("nik")
    return tuple(
        RowError(
            sheet=row.sheet,
            row=row.number,
            column=mapping.columns[name],
            field=name,
            reason=RowReason.FIELD_EMPTIED,
            effect=Effect.WARNING,
        )
        for name in emptied
        if name in mapping.columns
    )
