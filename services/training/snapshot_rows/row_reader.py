"""Rules that read one listed row: cells become values by the facility's mapping, or errors.

Not here: reading the file (mappings.reader), or what the row changes (rules).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from services.training.identities.rules import NikProblem, check_nik
from services.training.mappings.reader import DATE, FORMULA, NUMBER, RawRow, collapse_spaces, fold
from services.training.mappings.rules import STATUS_NOTE, FileMapping
from services.training.snapshot_rows.rules import (
    MAX_RAW_LENGTH,
    ListedRow,
    RowError,
    RowErrorEffect,
    RowReason,
)

STATUS_FIELD = "absence_or_release"
_EXCEL_EPOCH = date(1899, 12, 30)
_NUMERIC_DATE = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4}|\d{2})")
_WORDED_DATE = re.compile(r"(\d{1,2}) (\S+) (\d{4})")
_TWO_DIGIT_FORMAT_LENGTH = len("dd/mm/yy")


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
            raw=raw[:MAX_RAW_LENGTH],
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

    def read_date(self, name: str) -> date | None:
        """Return the field's date; report an invalid one, and an empty cell of a required field."""
        cell = self.read_cell(name)
        if cell is None:
            self.report_empty(name)
            return None
        value = _parse_date(cell, name, self.mapping, self.taken_on)
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
    admission_date = row.read_date("admission_date")
    if admission_date is not None and admission_date > taken_on:
        raw_date = admission_date.isoformat()
        row.report("admission_date", RowReason.DATE_INVALID, RowErrorEffect.ROW, raw=raw_date)
    absence, release = _read_status(row)
    birth_date = row.read_date("birth_date")
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


def _parse_date(
    cell: tuple[str, str], name: str, mapping: FileMapping, taken_on: date
) -> date | None:
    kind, text = cell
    if kind == FORMULA:
        return None
    if kind in {DATE, NUMBER}:
        if "excel_date" not in mapping.date_formats:
            return None
        return date.fromisoformat(text) if kind == DATE else _parse_excel_serial(text)
    for date_format in mapping.date_formats:
        parts = _split_date(collapse_spaces(text), date_format, mapping)
        if parts is None:
            continue
        day, month, year = parts
        if len(date_format) == _TWO_DIGIT_FORMAT_LENGTH:
            year = _complete_year(year, name, mapping, taken_on)
        try:
            return date(year, month, day)
        except ValueError:
            return None
    return None


def _parse_excel_serial(text: str) -> date | None:
    try:
        return _EXCEL_EPOCH + timedelta(days=int(text))
    except (ValueError, OverflowError):
        return None


def _split_date(text: str, date_format: str, mapping: FileMapping) -> tuple[int, int, int] | None:
    """Return day, month and year of a text in this format; None when it has another format."""
    if date_format == "d month yyyy":
        worded = _WORDED_DATE.fullmatch(text)
        month = mapping.months.get(fold(worded[2])) if worded else None
        if worded is None or month is None:
            return None
        return int(worded[1]), month, int(worded[3])
    numeric = _NUMERIC_DATE.fullmatch(text)
    if numeric is None:
        return None
    day, separator, month_digits, year_digits = numeric.groups()
    if date_format != f"dd{separator}mm{separator}{'y' * len(year_digits)}":
        return None
    return int(day), int(month_digits), int(year_digits)


def _complete_year(year: int, name: str, mapping: FileMapping, taken_on: date) -> int:
    """Return the full year: 20yy, or 19yy for past dates if 20yy is after the snapshot."""
    this_century = 2000 + year
    if name in mapping.future_years or this_century <= taken_on.year:
        return this_century
    return 1900 + year
