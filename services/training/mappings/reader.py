"""The reader of snapshot files, CSV and workbooks, which runs in the sandbox.

It turns a file into the cells of mapped columns. Not here: what a cell means (snapshot_rows), or
how headings are found (headings).
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import chain, islice
from typing import Any

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    SheetMetadata,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from chassis.files.sandbox_child import LimitExceeded
from services.training.mappings import headings
from services.training.mappings.headings import Cell, Headings, Line, MergedRange
from services.training.mappings.parsed_file import (
    CSV,
    DATE,
    ENCODINGS,
    FORMULA,
    NUMBER,
    TEXT,
    FileSummary,
    Layout,
    RawRow,
)
from services.training.text import fold, normalise

MAX_ROWS = 50_000
MAX_COLUMNS = 120
MAX_SHEETS = 120
MAX_TEXT = 2_000
_UTF_8 = "utf-8-sig"
_CHECKED_BYTES = 64 * 1024
# a total has few values beside its label
_MAX_TOTAL_VALUES = 3


class NotASnapshot(Exception):
    """The bytes are not a file of the stated format."""


@dataclass(slots=True)
class _Sheet:
    """One table of the file; `title` is None for CSV."""

    title: str | None
    lines: Iterator[Line]
    merged: Sequence[MergedRange] = ()


@dataclass(slots=True)
class _Columns:
    """Where the mapped fields of one sheet are, and its block."""

    positions: dict[str, int]
    facility: int | None
    width: int
    last_required: int
    block: str | None


@dataclass(slots=True)
class _Reading:
    """What was read so far."""

    layout: Layout
    row_count: int = 0
    missing: set[str] = field(default_factory=set)
    twice: set[str] = field(default_factory=set)
    facilities: set[str] = field(default_factory=set)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def skip(self, title: str, reason: str) -> None:
        """Record a sheet that is not read."""
        self.skipped.append((title, reason))

    def summary(self) -> FileSummary:
        """Return what the guards ask about the file."""
        return {
            "missing": sorted(self.missing),
            "twice": sorted(self.twice),
            "facilities": sorted(self.facilities),
            "skipped": self.skipped,
        }


def read(data: bytes, layout: Layout) -> Generator[RawRow | FileSummary]:
    """Yield the listed rows of the file, and its summary at the end.

    Raises NotASnapshot when it is unreadable or empty, LimitExceeded beyond the limits of rows,
    columns and sheets.
    """
    reading = _Reading(layout)
    has_cells = False
    try:
        sheets = _open_csv(data, layout) if layout["format"] == CSV else _open(data, reading)
        for sheet in sheets:
            if (yield from _read_sheet(sheet, reading)):
                has_cells = True
                if layout["sheets"] != "each":
                    break
            elif sheet.title is not None:
                reading.skip(sheet.title, "EMPTY")
    except (UnicodeDecodeError, csv.Error, CalamineError) as error:
        raise NotASnapshot(layout["format"]) from error
    if not has_cells:
        raise NotASnapshot("empty")
    yield reading.summary()


# CSV


def _open_csv(data: bytes, layout: Layout) -> Iterator[_Sheet]:
    text = io.TextIOWrapper(io.BytesIO(data), encoding=_choose_encoding(data, layout), newline="")
    lines = csv.reader(text, delimiter=layout["delimiter"], strict=True)
    yield _Sheet(None, (_csv_line(line) for line in lines))


def _choose_encoding(data: bytes, layout: Layout) -> str:
    """Return the mapped encoding, or UTF-8 if the bytes are that.

    Text in another encoding that is not ASCII is practically never valid UTF-8.
    """
    decoder = codecs.getincrementaldecoder(_UTF_8)()
    try:
        for start in range(0, len(data), _CHECKED_BYTES):
            decoder.decode(data[start : start + _CHECKED_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return ENCODINGS.get(layout["encoding"], layout["encoding"])
    return _UTF_8


def _csv_line(values: Sequence[str]) -> Line:
    if any(value.strip() for value in islice(values, MAX_COLUMNS, None)):
        raise LimitExceeded
    return [_text_cell(value) for value in values[:MAX_COLUMNS]]


def _text_cell(value: str) -> Cell | None:
    text = normalise(value)[:MAX_TEXT]
    if not text:
        return None
    return (FORMULA, "") if text.startswith("=") else (TEXT, text)


# Workbooks


def _open(data: bytes, reading: _Reading) -> Iterator[_Sheet]:
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
    if len(workbook.sheets_metadata) > MAX_SHEETS:
        raise LimitExceeded
    ignored = {fold(name) for name in reading.layout["ignore_sheets"]}
    for index, metadata in enumerate(workbook.sheets_metadata):
        reason = _reason_to_skip(metadata, ignored)
        if reason:
            reading.skip(metadata.name, reason)
            continue
        sheet = workbook.get_sheet_by_index(index)
        merged = [(start, end) for start, end in sheet.merged_cell_ranges or ()]
        yield _Sheet(metadata.name, _workbook_lines(sheet), merged)


def _reason_to_skip(metadata: SheetMetadata, ignored: set[str]) -> str:
    if fold(metadata.name) in ignored:
        return "IGNORED"
    if metadata.visible is not SheetVisibleEnum.Visible:
        return "HIDDEN"
    return "" if metadata.typ is SheetTypeEnum.WorkSheet else "NOT_A_TABLE"


def _workbook_lines(sheet: CalamineSheet) -> Iterator[Line]:
    """Yield the lines from row 1 and column A on; calamine begins at the first used column."""
    if sheet.start is None:
        return
    unused: Line = [None] * min(sheet.start[1], MAX_COLUMNS)
    for values in sheet.iter_rows():
        yield [*unused, *map(_workbook_cell, values[: MAX_COLUMNS - len(unused)])]


def _workbook_cell(value: Any) -> Cell | None:
    """Return a cell; a formula counts by its stored result."""
    if isinstance(value, str):
        text = normalise(value)[:MAX_TEXT]
        return (TEXT, text) if text else None
    if isinstance(value, bool):
        return TEXT, str(value)
    if isinstance(value, (int, float)):
        return NUMBER, str(int(value)) if float(value).is_integer() else repr(value)
    if isinstance(value, datetime):
        return DATE, value.date().isoformat()
    if isinstance(value, date):
        return DATE, value.isoformat()
    return TEXT, str(value)


# Rows


def _read_sheet(sheet: _Sheet, reading: _Reading) -> Generator[RawRow, None, bool]:
    """Yield the rows of one sheet; return whether it has any cell."""
    layout = reading.layout
    header_end = max(layout["header_rows"])
    head = list(islice(sheet.lines, max(header_end, layout["facility_row"] or 1)))
    if not any(any(line) for line in head) and not any(any(line) for line in sheet.lines):
        return False
    found = headings.find(head, layout["header_rows"], sheet.merged)
    columns = _find_columns(found, sheet, reading)
    if layout["facility_column"] is None and layout["facility_row"] is not None:
        reading.facilities.add(_read_title(head, layout["facility_row"], layout["facility_prefix"]))
    below = chain(head[header_end:], sheet.lines)
    for number, line in enumerate(below, start=header_end + 1):
        row = _read_line(sheet.title, number, line, columns, reading)
        if row is not None:
            yield row
    return True


def _find_columns(found: Headings, sheet: _Sheet, reading: _Reading) -> _Columns:
    layout = reading.layout
    reading.twice.update(found.twice)
    positions: dict[str, int] = {}
    for name, heading in layout["columns"].items():
        position = found.columns.get(fold(heading))
        if position is None:
            reading.missing.add(heading)
        else:
            positions[name] = position
    facility = None
    if layout["facility_column"] is not None:
        facility = found.columns.get(fold(layout["facility_column"]))
        if facility is None:
            reading.missing.add(layout["facility_column"])
    required = [positions[name] for name in layout["required"] if name in positions]
    return _Columns(
        positions=positions,
        facility=facility,
        width=max(found.columns.values(), default=-1) + 1,
        last_required=max(required, default=-1),
        block=_read_block(sheet.title, layout["sheet_prefix"]),
    )


def _read_line(
    title: str | None, number: int, line: Line, columns: _Columns, reading: _Reading
) -> RawRow | None:
    """Return the line as a row; None when it lists nobody."""
    cells: dict[str, list[str]] = {}
    for name, position in columns.positions.items():
        cell = headings.cell_at(line, position)
        if cell is not None:
            cells[name] = list(cell)
    if not _is_data(line, cells, reading.layout):
        return None
    reading.row_count += 1
    if reading.row_count > MAX_ROWS:
        raise LimitExceeded
    if columns.facility is not None:
        facility_cell = headings.cell_at(line, columns.facility)
        if facility_cell is not None:
            reading.facilities.add(facility_cell[1])
    if columns.block is not None:
        cells["block"] = [TEXT, columns.block]
    is_whole = reading.layout["format"] != CSV or _has_width(line, columns)
    return {"sheet": title, "number": number, "cells": cells, "whole": is_whole}


def _has_width(line: Line, columns: _Columns) -> bool:
    """Return whether the line has all required columns, and no value beyond the header.

    Excel leaves empty columns out at the end of a line.
    """
    return len(line) > columns.last_required and not any(line[columns.width :])


def _is_data(line: Line, cells: dict[str, list[str]], layout: Layout) -> bool:
    """Return whether the line lists a person.

    It holds a reference and another mapped value, or two required values; totals do not count.
    """
    empty = layout["empty_values"]
    values = {
        name for name, (kind, text) in cells.items() if kind != FORMULA and fold(text) not in empty
    }
    if len(values) <= _MAX_TOTAL_VALUES and _is_total(line, layout["total_markers"]):
        return False
    has_reference = "source_ref" in values and len(values) > 1
    return has_reference or len(values.intersection(layout["required"])) > 1


def _is_total(line: Line, markers: Iterable[str]) -> bool:
    """Return whether the first filled cell begins with one of these words."""
    first = next((cell for cell in line if cell is not None), None)
    if first is None:
        return False
    text = fold(first[1])
    return any(text.startswith(word) and not text[len(word) :][:1].isalnum() for word in markers)


def _read_title(head: Sequence[Line], row: int, prefix: str) -> str:
    """Return the text behind the prefix in a title row; empty when no cell has the prefix."""
    line = head[row - 1] if row <= len(head) else []
    for cell in line:
        if cell is not None and fold(cell[1]).startswith(fold(prefix)):
            return _without_prefix(cell[1], prefix)
    return ""


def _read_block(sheet: str | None, prefix: str | None) -> str | None:
    """Return the block in the sheet's name; None when the mapping has no sheet prefix."""
    if sheet is None or prefix is None:
        return None
    title = normalise(sheet)
    return _without_prefix(title, prefix) if fold(title).startswith(fold(prefix)) else title


def _without_prefix(text: str, prefix: str) -> str:
    return normalise(text[len(normalise(prefix)) :])
