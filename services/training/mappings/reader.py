"""The reader of snapshot files, CSV and XLSX, which runs in the sandbox.

It turns a file into the cells of mapped columns. Not here: what a cell means (snapshot_rows).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, TypeAlias, TypedDict
from zipfile import BadZipFile

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

# (kind, text); the kind is text, number, date (ISO) or formula; an empty cell is None
Cell: TypeAlias = tuple[str, str]
Line: TypeAlias = list[Cell | None]
Table: TypeAlias = list[Line]

TEXT = "text"
NUMBER = "number"
DATE = "date"
FORMULA = "formula"
MAX_ROWS = 50_000
MAX_COLUMNS = 120
MAX_SHEETS = 120
MAX_TEXT = 2_000
ENCODINGS = {"utf-8 with byte order mark": "utf-8-sig"}
_SPACES = re.compile(r"\s+")
_BROKEN_WORKBOOK = (
    BadZipFile,
    InvalidFileException,
    KeyError,
    ValueError,
    OSError,
    EOFError,
    SyntaxError,
)


class Layout(TypedDict):
    """The layout of a facility's files: the part of a mapping that the sandbox receives."""

    format: str
    encoding: str
    delimiter: str
    sheets: str
    ignore_sheets: list[str]
    sheet_prefix: str | None
    header_rows: list[int]
    facility_column: str | None
    facility_row: int | None
    facility_prefix: str
    columns: dict[str, str]
    total_markers: list[str]


class RawRow(TypedDict):
    """One listed row: sheet, number in the sheet (from 1, all rows counted), mapped cells.

    `whole` says whether the row has the header's width.
    """

    sheet: str | None
    number: int
    cells: dict[str, list[str]]
    whole: bool


class ParsedFile(TypedDict):
    """The rows of a file, the mapped columns that it lacks, and the facilities that it names."""

    rows: list[RawRow]
    missing: list[str]
    facilities: list[str]


class NotASnapshot(Exception):
    """The bytes are not a file of the stated format."""


def collapse_spaces(text: str) -> str:
    """Return the text trimmed, with one space for each run of whitespace, no-break included."""
    return _SPACES.sub(" ", text).strip()


def fold(text: str) -> str:
    """Return the form in which headers and values are compared."""
    return collapse_spaces(text).casefold()


def read(data: bytes, layout: Layout) -> ParsedFile:
    """Return all listed rows of the file.

    Raises NotASnapshot when it is unreadable, empty, or exceeds the limits of rows and sheets.
    """
    tables: list[tuple[str | None, Table]]
    if layout["format"] == "csv":
        tables = [(None, _read_csv(data, layout))]
    else:
        tables = list(_read_xlsx(data, layout))
    if not any(_has_cells(table) for _, table in tables):
        raise NotASnapshot("empty")
    result: ParsedFile = {"rows": [], "missing": [], "facilities": []}
    for sheet, table in tables:
        _collect_rows(sheet, table, layout, result)
    result["missing"] = sorted(set(result["missing"]))
    return result


def _has_cells(table: Table) -> bool:
    return any(any(line) for line in table)


def _read_csv(data: bytes, layout: Layout) -> Table:
    encoding = ENCODINGS.get(layout["encoding"], layout["encoding"])
    try:
        text = io.StringIO(data.decode(encoding), newline="")
        lines = csv.reader(text, delimiter=layout["delimiter"], strict=True)
        table = [[_text_cell(value) for value in line] for line in lines]
    except (UnicodeDecodeError, csv.Error) as error:
        raise NotASnapshot("csv") from error
    if len(table) > MAX_ROWS:
        raise NotASnapshot("too many rows")
    return table


def _text_cell(value: str) -> Cell | None:
    text = collapse_spaces(value)[:MAX_TEXT]
    if not text:
        return None
    return (FORMULA, "") if text.startswith("=") else (TEXT, text)


def _read_xlsx(data: bytes, layout: Layout) -> Iterator[tuple[str | None, Table]]:
    try:
        workbook = openpyxl.load_workbook(
            io.BytesIO(data), read_only=True, data_only=False, keep_links=False
        )
        for sheet in _choose_sheets(workbook.worksheets, layout):
            yield collapse_spaces(sheet.title), _read_sheet(sheet)
    except _BROKEN_WORKBOOK as error:
        raise NotASnapshot("xlsx") from error


def _choose_sheets(worksheets: Iterable[Any], layout: Layout) -> Sequence[Any]:
    ignored = {fold(name) for name in layout["ignore_sheets"]}
    sheets = [sheet for sheet in worksheets if fold(sheet.title) not in ignored]
    if not sheets or len(sheets) > MAX_SHEETS:
        raise NotASnapshot("sheets")
    return sheets if layout["sheets"] == "each" else sheets[:1]


def _read_sheet(sheet: Any) -> Table:
    table: Table = []
    sheet.reset_dimensions()
    for cells in sheet.iter_rows(max_col=MAX_COLUMNS):
        if len(table) >= MAX_ROWS:
            raise NotASnapshot("too many rows")
        table.append([_sheet_cell(cell) for cell in cells])
    return table


def _sheet_cell(cell: Any) -> Cell | None:
    value = cell.value
    if value is None:
        return None
    if cell.data_type in {"f", "e"}:
        return FORMULA, ""
    if isinstance(value, datetime):
        return DATE, value.date().isoformat()
    if isinstance(value, date):
        return DATE, value.isoformat()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return NUMBER, str(int(value)) if float(value).is_integer() else repr(value)
    return _text_cell(str(value))


def _collect_rows(sheet: str | None, table: Table, layout: Layout, into: ParsedFile) -> None:
    """Add the listed rows of one sheet, the columns it lacks and the facilities it names."""
    headers = _find_headers(table, layout["header_rows"])
    positions: dict[str, int] = {}
    for field, heading in layout["columns"].items():
        position = headers.get(fold(heading))
        if position is None:
            into["missing"].append(heading)
        else:
            positions[field] = position
    facility_position = _find_facility_column(headers, layout, into)
    if layout["facility_column"] is None and layout["facility_row"] is not None:
        title = _read_title(table, layout["facility_row"], layout["facility_prefix"])
        into["facilities"].append(title)
    block = _read_block(sheet, layout["sheet_prefix"])
    width = max(headers.values(), default=-1) + 1
    for number, line in _listed_lines(table, layout):
        if facility_position is not None:
            facility_cell = _cell_at(line, facility_position)
            if facility_cell is not None:
                into["facilities"].append(facility_cell[1])
        cells = _mapped_cells(line, positions)
        if block is not None:
            cells["block"] = [TEXT, block]
        is_whole = layout["format"] != "csv" or (len(line) >= width and not any(line[width:]))
        into["rows"].append({"sheet": sheet, "number": number, "cells": cells, "whole": is_whole})
    into["facilities"] = sorted(set(into["facilities"]))


def _find_facility_column(headers: dict[str, int], layout: Layout, into: ParsedFile) -> int | None:
    heading = layout["facility_column"]
    if heading is None:
        return None
    position = headers.get(fold(heading))
    if position is None:
        into["missing"].append(heading)
    return position


def _listed_lines(table: Table, layout: Layout) -> Iterator[tuple[int, Line]]:
    """Yield the lines below the header with their numbers, without empty lines and totals."""
    totals = {fold(marker) for marker in layout["total_markers"]}
    header_end = max(layout["header_rows"])
    for number, line in enumerate(table[header_end:], start=header_end + 1):
        first = next((cell for cell in line if cell is not None), None)
        if first is not None and fold(first[1]) not in totals:
            yield number, line


def _mapped_cells(line: Line, positions: dict[str, int]) -> dict[str, list[str]]:
    cells: dict[str, list[str]] = {}
    for field, position in positions.items():
        cell = _cell_at(line, position)
        if cell is not None:
            cells[field] = list(cell)
    return cells


def _find_headers(table: Table, header_rows: Iterable[int]) -> dict[str, int]:
    """Return the column of each folded heading; a heading can span several header rows."""
    texts_by_column: dict[int, list[str]] = {}
    for number in header_rows:
        line = table[number - 1] if number <= len(table) else []
        for column, cell in enumerate(line):
            if cell is not None:
                texts_by_column.setdefault(column, []).append(cell[1])
    headers: dict[str, int] = {}
    for column, texts in texts_by_column.items():
        headers.setdefault(fold(" ".join(texts)), column)
    return headers


def _read_title(table: Table, row: int, prefix: str) -> str:
    """Return the text behind the prefix in a title row; empty when no cell has the prefix."""
    line = table[row - 1] if row <= len(table) else []
    for cell in line:
        if cell is not None and fold(cell[1]).startswith(fold(prefix)):
            return _without_prefix(collapse_spaces(cell[1]), prefix)
    return ""


def _read_block(sheet: str | None, prefix: str | None) -> str | None:
    """Return the block in the sheet's name; None when the mapping has no sheet prefix."""
    if sheet is None or prefix is None:
        return None
    return _without_prefix(sheet, prefix) if fold(sheet).startswith(fold(prefix)) else sheet


def _without_prefix(text: str, prefix: str) -> str:
    return collapse_spaces(text[len(collapse_spaces(prefix)) :])


def _cell_at(line: Line, position: int) -> Cell | None:
    return line[position] if position < len(line) else None
