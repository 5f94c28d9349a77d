"""What a listed row says, and what it changes of one person, custody and identity together. Not here: finding the person or writing the change."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from dataclasses import field as made
from datetime import date, timedelta
from enum import StrEnum

from services.training.identities import rules as identities
from services.training.identities.rules import Identity, NikProblem, Number, Said, examine
from services.training.mappings.rules import STATUS_NOTE, Mapping
from services.training.participants.rules import (
    DETAILS,
    Doubt,
    Facts,
    Movement,
    Participant,
    Sighting,
    sight,
)
from services.training.snapshots.reader import DATE, FORMULA, NUMBER, RawRow, fold, squeeze

STATUS_FIELD = "absence_or_release"
_EXCEL_EPOCH = date(1899, 12, 30)
_NUMERIC_DATE = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4}|\d{2})")
_WORDED_DATE = re.compile(r"(\d{1,2}) (\S+) (\d{4})")
MAX_RAW = 60


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


def reported(snapshot_id: str, facility_id: str, error: RowError) -> ReportedError:
    """An error of a snapshot as it is kept; the same error has the same id."""
    return ReportedError(
        id=f"{snapshot_id}/{error.sheet}/{error.row:06d}/{error.field}/{error.reason}",
        snapshot_id=snapshot_id,
        facility_id=facility_id,
        error=error,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
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
class _Reading:
    """One row while it is being read."""

    raw: RawRow
    mapping: Mapping
    taken_on: date
    errors: list[RowError] = made(default_factory=list)
    lost: set[str] = made(default_factory=set)
    stopped: bool = False

    def refuse(
        self,
        name: str,
        reason: RowReason,
        effect: Effect,
        *,
        raw: str = "",
        told: str | None = None,
    ) -> None:
        self.errors.append(
            RowError(
                sheet=self.raw["sheet"] or "",
                row=self.raw["number"],
                column=self.mapping.columns.get(name, ""),
                field=told or name,
                reason=reason,
                effect=effect,
                raw=raw[:MAX_RAW],
            )
        )
        if effect is Effect.FIELD:
            self.lost.add(name)
        self.stopped = self.stopped or effect is Effect.ROW

    def cell(self, name: str) -> tuple[str, str] | None:
        """(kind, text) of the field, None when it is empty."""
        cell = self.raw["cells"].get(name)
        return (
            None
            if cell is None or (cell[0] != FORMULA and fold(cell[1]) in self.mapping.empty_values)
            else (cell[0], cell[1])
        )

    def text(self, name: str) -> str:
        """The field's text. A formula, or nothing where something is required, costs what the field is worth."""
        cell = self.cell(name)
        effect = Effect.ROW if name in self.mapping.required else Effect.FIELD
        if cell is None:
            if name in self.mapping.required:
                self.refuse(name, RowReason.REQUIRED_EMPTY, effect)
            return ""
        if cell[0] == FORMULA:
            self.refuse(name, RowReason.FORMULA_CELL, effect)
            return ""
        return cell[1]

    def word(self, name: str, effect: Effect | None = None, *, told: str | None = None) -> str:
        """The code of the field's word; an unknown word costs `effect`: by default the row where it drives a state, else the field."""
        cell = self.cell(name)
        effect = effect or (Effect.ROW if name in self.mapping.state_driving else Effect.FIELD)
        if cell is None:
            return ""
        if cell[0] == FORMULA:
            self.refuse(name, RowReason.FORMULA_CELL, effect, told=told)
            return ""
        code = self.mapping.values.get(name, {}).get(fold(cell[1]), "")
        if not code:
            self.refuse(name, RowReason.VALUE_UNMAPPED, effect, raw=cell[1], told=told)
        return code

    def day(self, name: str) -> date | None:
        """The field's date; one that does not exist, or is in no stated form, costs the field, or the row where it is required."""
        cell = self.cell(name)
        effect = Effect.ROW if name in self.mapping.required else Effect.FIELD
        if cell is None:
            if name in self.mapping.required:
                self.refuse(name, RowReason.REQUIRED_EMPTY, effect)
            return None
        found = _date(cell, name, self.mapping, self.taken_on)
        if found is None:
            self.refuse(name, RowReason.DATE_INVALID, effect, raw=cell[1])
        return found


def read_row(raw: RawRow, mapping: Mapping, taken_on: date) -> tuple[Listed, list[RowError]]:
    """The facts of one row and what is wrong with it. `taken_on` is the facility's local date of the snapshot."""
    row = _Reading(raw, mapping, taken_on)
    source_ref = row.text("source_ref")
    if not raw["whole"]:
        row.refuse("source_ref", RowReason.ROW_SHAPE, Effect.ROW)
    name = row.text("name")
    admission = row.day("admission_date")
    if admission is not None and admission > taken_on:
        row.refuse("admission_date", RowReason.DATE_INVALID, Effect.ROW, raw=admission.isoformat())
    absence, release = _status(row)
    birth_date, sex = row.day("birth_date"), row.word("sex")
    nik, given = _nik(row, birth_date, sex)
    listed = Listed(
        sheet=raw["sheet"] or "",
        number=raw["number"],
        source_ref=source_ref,
        name=name,
        register_no=row.text("register_no"),
        nik=nik,
        nik_given=given,
        birth_date=birth_date,
        sex=sex,
        legal_status=row.word("legal_status"),
        admission_date=admission,
        expected_release=row.day("expected_release"),
        two_thirds_date=row.day("two_thirds_date"),
        block=row.text("block"),
        education=row.word("education"),
        risk=row.word("risk"),
        absence=absence,
        release=release,
        release_date=row.day("release_date"),
        merged_into=row.text("merged_into"),
    )
    return replace(listed, stopped=row.stopped, lost=frozenset(row.lost)), row.errors


def _status(row: _Reading) -> tuple[str, str]:
    if STATUS_NOTE in row.mapping.columns:
        stops = Effect.ROW if row.mapping.state_driving & {"absence", "release"} else Effect.FIELD
        kind, _, code = row.word(STATUS_NOTE, stops, told=STATUS_FIELD).partition(":")
        return (code, "") if kind == "absence" else ("", code)
    return row.word("absence"), row.word("release")


def _nik(row: _Reading, birth_date: date | None, sex: str) -> tuple[str, bool]:
    """(digits, whether anything stood in the cell). Digits only when they may be stored."""
    cell = row.cell("nik")
    if cell is None:
        return "", False
    kind, digits = cell
    if kind != "text":
        row.refuse(
            "nik",
            RowReason.NIK_NUMBER_CELL if kind == NUMBER else RowReason.FORMULA_CELL,
            Effect.FIELD,
        )
        return "", True
    for mark in row.mapping.nik_strip:
        digits = digits.replace(mark, "")
    verdict = examine(digits, birth_date, sex)
    if isinstance(verdict, NikProblem):
        row.refuse("nik", RowReason(verdict), Effect.FIELD)
        return "", True
    for warning in verdict:
        row.refuse("nik", RowReason(warning), Effect.WARNING)
    return digits, True


def _date(cell: tuple[str, str], name: str, mapping: Mapping, taken_on: date) -> date | None:
    kind, text = cell
    if kind in {DATE, NUMBER}:
        if "excel_date" not in mapping.date_formats:
            return None
        return date.fromisoformat(text) if kind == DATE else _serial(text)
    if kind == FORMULA:
        return None
    for form in mapping.date_formats:
        parts = _parts(squeeze(text), form, mapping)
        if parts is not None:
            day, month, year = parts
            try:
                return date(
                    _century(year, name, mapping, taken_on)
                    if len(form) == len("dd/mm/yy")
                    else year,
                    month,
                    day,
                )
            except ValueError:
                return None
    return None


def _serial(text: str) -> date | None:
    try:
        return _EXCEL_EPOCH + timedelta(days=int(text))
    except (ValueError, OverflowError):
        return None


def _parts(text: str, form: str, mapping: Mapping) -> tuple[int, int, int] | None:
    if form == "d month yyyy":
        worded = _WORDED_DATE.fullmatch(text)
        if worded is None or (month := mapping.months.get(fold(worded[2]))) is None:
            return None
        return int(worded[1]), month, int(worded[3])
    numeric = _NUMERIC_DATE.fullmatch(text)
    if numeric is None or form != f"dd{numeric[2]}mm{numeric[2]}{'y' * len(numeric[4])}":
        return None
    return int(numeric[1]), int(numeric[3]), int(numeric[4])


def _century(year: int, name: str, mapping: Mapping, taken_on: date) -> int:
    return (
        2000 + year if name in mapping.future_years or 2000 + year <= taken_on.year else 1900 + year
    )


_IDENTITY_TEXTS = ("register_no", "birth_date", "sex")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A person before and after a row; `before` is None for a person first seen."""

    participant: Participant
    identity: Identity
    movements: tuple[Movement, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    errors: tuple[RowError, ...] = ()
    planned: date | None = None


def difference(
    row: Listed,
    person: Participant | None,
    identity: Identity | None,
    number: Number | None,
    ref: str,
    at: Sighting,
    mapping: Mapping,
) -> Difference:
    """What the row changes. `number` is the row's NIK when it is not the stored one; `ref` names a person not known yet. The row must not be a stopped one."""
    if row.admission_date is None:
        message = "a stopped row changes nothing"
        raise ValueError(message)
    facts = Facts(
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
    said = Said(
        name=row.name,
        register_no=row.register_no,
        birth_date=row.birth_date,
        sex=row.sex,
        nik_given=row.nik_given,
    )
    known = identity or identities.first_seen(
        person.id if person else ref, at.facility_id, said, number
    )
    told, changed = identities.take(known, said, number)
    outcome = sight(person, ref, row.source_ref, facts, changed, at)
    heard = identity is None or outcome.heard
    return Difference(
        participant=outcome.after,
        identity=replace(told, facility_id=outcome.after.facility_id) if heard else known,
        movements=outcome.movements,
        doubts=outcome.doubts,
        errors=_emptied(row, person, identity, mapping)
        if outcome.heard and person and person.open_stay and identity
        else (),
        planned=outcome.planned,
    )


def _emptied(
    row: Listed, person: Participant, identity: Identity, mapping: Mapping
) -> tuple[RowError, ...]:
    """A warning for each field that was known and stands empty now; the stored value stays."""
    stored = {name: getattr(person, name) for name in DETAILS} | {
        name: getattr(identity, name) for name in _IDENTITY_TEXTS
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
