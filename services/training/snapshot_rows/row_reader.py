"""Rules that read one listed row: cells become values by the facility's mapping, or errors.

Not here: reading the file (mappings.reader), or what the row changes (rules).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date

from services.training.identities.rules import NikProblem, check_nik
from services.training.mappings.parsed_file import FORMULA, NUMBER, RawRow
from services.training.mappings.rules import STATUS_NOTE, FileMapping
from services.training.snapshot_rows import dates
from services.training.snapshot_rows.dates import DateBounds
from services.training.snapshot_rows.rules import (
    ListedRow,
    RowError,
    RowErrorEffect,
    RowReason,
    raw_without_numbers,
)
from services.training.text import fold

STATUS_FIELD = "absence_or_release"


@dataclass(slots=True)
class _RowReader:
    """One row while it is read, with its errors so far."""

    raw: RawRow
    mapping: FileMapping
    taken_on: date
    errors: list[RowError] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    stopped: bool = False

    def report(
        self,
        name: str,
        reason: RowReason,
        effect: RowErrorEffect,
        *,
        raw: str = "",
        reported_field: str | None = None,
    ) -> None:
        """Add an error in this field."""
        error = RowError(
            sheet=self.raw["sheet"] or "",
            row=self.raw["number"],
            column=self.mapping.columns.get(name, ""),
            field=reported_field or name,
            reason=reason,
            effect=effect,
            raw=raw_without_numbers(raw),
        )
        self.errors.append(error)
        if effect is RowErrorEffect.FIELD:
            self.lost.add(name)
        if effect is RowErrorEffect.ROW:
            self.stopped = True

    def read_cell(self, name: str) -> tuple[str, str] | None:
        """Return the kind and text of the field's cell; None when it is empty."""
        cell = self.raw["cells"].get(name)
        if cell is None:
            return None
        kind, text = cell
        if kind != FORMULA and fold(text) in self.mapping.empty_values:
            return None
        return kind, text

    def read_text(self, name: str) -> str:
        """Return the field's text; report a formula, and an empty cell of a required field."""
        cell = self.read_cell(name)
        if cell is None:
            self.report_empty(name)
            return ""
        kind, text = cell
        if kind == FORMULA:
            self.report(name, RowReason.FORMULA_CELL, self.effect_of(name))
            return ""
        return text

    def read_code(
        self, name: str, effect: RowErrorEffect | None = None, *, reported_field: str | None = None
    ) -> str:
        """Return the code of the field's word; report an unknown word.

        The default effect is the row for a field that drives the custody state, else the field.
        """
        cell = self.read_cell(name)
        if cell is None:
            return ""
        if effect is None:
            is_state_driving = name in self.mapping.state_driving
            effect = RowErrorEffect.ROW if is_state_driving else RowErrorEffect.FIELD
        kind, text = cell
        if kind == FORMULA:
            self.report(name, RowReason.FORMULA_CELL, effect, reported_field=reported_field)
            return ""
        code = self.mapping.values.get(name, {}).get(fold(text), "")
        if not code:
            self.report(
                name, RowReason.VALUE_UNMAPPED, effect, raw=text, reported_field=reported_field
            )
        return code

    def read_date(self, name: str, bounds: DateBounds) -> date | None:
        """Return the field's date; report one that is no date within bounds.

        Also reports an empty cell of a required field.
        """
        cell = self.read_cell(name)
        if cell is None:
            self.report_empty(name)
            return None
        value = dates.parse(cell, name, self.mapping, self.taken_on, bounds)
        if value is None:
            self.report(name, RowReason.DATE_INVALID, self.effect_of(name), raw=cell[1])
        return value

    def report_empty(self, name: str) -> None:
        """Report the empty field if it is required."""
        if name in self.mapping.required:
            self.report(name, RowReason.REQUIRED_EMPTY, RowErrorEffect.ROW)

    def effect_of(self, name: str) -> RowErrorEffect:
        """Return what an error in the field costs: the row where it is required, else the field."""
        return RowErrorEffect.ROW if name in self.mapping.required else RowErrorEffect.FIELD


def read_row(raw: RawRow, mapping: FileMapping, taken_on: date) -> tuple[ListedRow, list[RowError]]:
    """Return the facts of one row and its errors.

    `taken_on` is the facility's local date of the snapshot.
    """
    row = _RowReader(raw, mapping, taken_on)
    source_ref = row.read_text("source_ref")
    if not raw["whole"]:
        row.report("source_ref", RowReason.ROW_SHAPE, RowErrorEffect.ROW)
    name = row.read_text("name")
    admission_date = row.read_date("admission_date", dates.admission_bounds(taken_on))
    absence, release = _read_status(row)
    birth_date = row.read_date("birth_date", dates.birth_bounds(admission_date or taken_on))
    later = dates.later_bounds(admission_date or dates.EARLIEST_ADMISSION)
    sex = row.read_code("sex")
    nik, nik_given = _read_nik(row, birth_date, sex)
    listed = ListedRow(
        sheet=raw["sheet"] or "",
        number=raw["number"],
        source_ref=source_ref,
        name=name,
        register_no=row.read_text("register_no"),
        nik=nik,
        nik_given=nik_given,
        birth_date=birth_date,
        sex=sex,
        legal_status=row.read_code("legal_status"),
        admission_date=admission_date,
        expected_release=row.read_date("expected_release", later),
        two_thirds_date=row.read_date("two_thirds_date", dates.TWO_THIRDS_BOUNDS),
        block=row.read_text("block"),
        education=row.read_code("education"),
        risk=row.read_code("risk"),
        absence=absence,
        release=release,
        release_date=row.read_date("release_date", later),
        merged_into=row.read_text("merged_into"),
    )
    listed = replace(listed, stopped=row.stopped, lost=frozenset(row.lost))
    return _plan_release(listed, taken_on), row.errors


def _plan_release(row: ListedRow, taken_on: date) -> ListedRow:
    """Return the row with a release after the list's day as what it is, a planned release."""
    if not row.release or row.release_date is None or row.release_date <= taken_on:
        return row
    return replace(
        row,
        release="",
        release_date=None,
        expected_release=row.release_date,
        planned_kind=row.release,
    )


def _read_status(row: _RowReader) -> tuple[str, str]:
    """Return the codes of absence and release, from one column or from two."""
    if STATUS_NOTE not in row.mapping.columns:
        return row.read_code("absence"), row.read_code("release")
    is_state_driving = bool(row.mapping.state_driving & {"absence", "release"})
    effect = RowErrorEffect.ROW if is_state_driving else RowErrorEffect.FIELD
    note = row.read_code(STATUS_NOTE, effect, reported_field=STATUS_FIELD)
    kind, _, code = note.partition(":")
    return (code, "") if kind == "absence" else ("", code)


def _read_nik(row: _RowReader, birth_date: date | None, sex: str) -> tuple[str, bool]:
    """Return the digits if they may be stored, and whether the cell was not empty."""
    cell = row.read_cell("nik")
    if cell is None:
        return "", False
    kind, digits = cell
    if kind != "text":
        reason = RowReason.NIK_NUMBER_CELL if kind == NUMBER else RowReason.FORMULA_CELL
        row.report("nik", reason, RowErrorEffect.FIELD)
        return "", True
    for separator in row.mapping.nik_strip:
        digits = digits.replace(separator, "")
    verdict = check_nik(digits, birth_date, sex)
    if isinstance(verdict, NikProblem):
        row.report("nik", RowReason(verdict), RowErrorEffect.FIELD)
        return "", True
    for warning in verdict:
        row.report("nik", RowReason(warning), RowErrorEffect.WARNING)
    return digits, True
