"""How a snapshot file becomes cells: CSV and XLSX, read in a child process. Not here: what a cell means (rows)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any, TypeAlias, TypedDict
from zipfile import BadZipFile

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

Cell: TypeAlias = tuple[
    str, str
]  # (kind, text); kind is text, number, date (ISO) or formula; an empty cell is None

TEXT, NUMBER, DATE, FORMULA = "text", "number", "date", "formula"
MAX_ROWS, MAX_COLUMNS, MAX_SHEETS, MAX_TEXT = 50_000, 120, 120, 2_000
ENCODINGS = {"utf-8 with byte order mark": "utf-8-sig"}
_SPACES = re.compile(r"\s+")


class Layout(TypedDict):
    """Where a facility's file holds what; the part of a mapping that the child process is told."""

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
    """One listed row: its sheet, its number in the sheet (from 1, everything counted), the cells of mapped columns, and whether it has the header's width."""

    sheet: str | None
    number: int
    cells: dict[str, list[str]]
    whole: bool


class ParsedFile(TypedDict):
    """What a file says: its rows, the mapped columns that are not there, and the facilities it names."""

    rows: list[RawRow]
    missing: list[str]
    facilities: list[str]


class NotASnapshot(Exception):
    """The bytes are no file of the stated form."""


def collapse_spaces(text: str) -> str:
    """The text trimmed, every run of whitespace (no-break space too) one space."""
    return _SPACES.sub(" ", text).strip()


def fold(text: str) -> str:
    """The form in which headers and values are compared."""
    return collapse_spaces(text).casefold()


def read(data: bytes, layout: Layout) -> ParsedFile:
    """All listed rows of the file. NotASnapshot when it cannot be read, is empty, or is larger than any real one."""
    result: ParsedFile = {"rows": [], "missing": [], "facilities": []}
    tables = (
        list(_read_csv(data, layout))
        if layout["format"] == "csv"
        else list(_read_xlsx(data, layout))
    )
    if not any(cell for _, table in tables for cells in table for cell in cells):
        raise NotASnapshot("empty")
    for sheet, table in tables:
        _collect_rows(sheet, table, layout, result)
    result["missing"] = sorted(set(result["missing"]))
    return result


def _read_csv(data: bytes, layout: Layout) -> Iterator[tuple[str | None, list[list[Cell | None]]]]:
    try:
        text = data.decode(ENCODINGS.get(layout["encoding"], layout["encoding"]))
        lines = [
            [_text_cell(value) for value in line]
            for line in csv.reader(
                io.StringIO(text, newline=""), delimiter=layout["delimiter"], strict=True
            )
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise NotASnapshot("csv") from error
    if len(lines) > MAX_ROWS:
        raise NotASnapshot("too many rows")
    yield None, lines


def _text_cell(value: str) -> Cell | None:
    text = collapse_spaces(value)[:MAX_TEXT]
    if not text:
        return None
    return (FORMULA, "") if text.startswith("=") else (TEXT, text)


def _read_xlsx(data: bytes, layout: Layout) -> Iterator[tuple[str | None, list[list[Cell | None]]]]:
    try:
        book = openpyxl.load_workbook(
            io.BytesIO(data), read_only=True, data_only=False, keep_links=False
        )
        ignored = {fold(name) for name in layout["ignore_sheets"]}
        sheets = [sheet for sheet in book.worksheets if fold(sheet.title) not in ignored]
        if not sheets or len(sheets) > MAX_SHEETS:
            raise NotASnapshot("sheets")
        for sheet in sheets if layout["sheets"] == "each" else sheets[:1]:
            table: list[list[Cell | None]] = []
            sheet.reset_dimensions()
            for cells in sheet.iter_rows(max_col=MAX_COLUMNS):
                if len(table) >= MAX_ROWS:
                    raise NotASnapshot("too many rows")
                table.append([_sheet_cell(cell) for cell in cells])
            yield collapse_spaces(sheet.title), table
    except (
        BadZipFile,
        InvalidFileException,
        KeyError,
        ValueError,
        OSError,
        EOFError,
        SyntaxError,
    ) as error:
        raise NotASnapshot("xlsx") from error


def _sheet_cell(cell: Any) -> Cell | None:
    value = cell.value
    if value is None:
        return None
    if cell.data_type in {"f", "e"}:
        return (FORMULA, "")
    if isinstance(value, datetime):
        return (DATE, value.date().isoformat())
    if isinstance(value, date):
        return (DATE, value.isoformat())
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return (NUMBER, str(int(value)) if float(value).is_integer() else repr(value))
    return _text_cell(str(value))


def _collect_rows(
    sheet: str | None, table: list[list[Cell | None]], layout: Layout, into: ParsedFile
) -> None:
    headers = _find_headers(table, layout["header_rows"])
    places = {field: headers.get(fold(name)) for field, name in layout["columns"].items()}
    into["missing"] += [
        layout["columns"][field] for field, place in places.items() if place is None
    ]
    facility_at = None
    if layout["facility_column"] is not None:
        facility_at = headers.get(fold(layout["facility_column"]))
        if facility_at is None:
            into["missing"].append(layout["facility_column"])
    elif layout["facility_row"] is not None:
        into["facilities"].append(
            _read_title(table, layout["facility_row"], layout["facility_prefix"])
        )
    totals = {fold(marker) for marker in layout["total_markers"]}
    block = _read_block(sheet, layout["sheet_prefix"])
    width = max(headers.values(), default=-1) + 1
    for number, line in enumerate(
        table[max(layout["header_rows"]) :], start=max(layout["header_rows"]) + 1
    ):
        first = next((cell for cell in line if cell is not None), None)
        if first is None or fold(first[1]) in totals:
            continue
        if facility_at is not None and (named := _cell_at(line, facility_at)) is not None:
            into["facilities"].append(named[1])
        cells = {
            field: list(cell)
            for field, place in places.items()
            if place is not None and (cell := _cell_at(line, place)) is not None
        }
        if block is not None:
            cells["block"] = [TEXT, block]
        whole = layout["format"] != "csv" or (len(line) >= width and not any(line[width:]))
        into["rows"].append({"sheet": sheet, "number": number, "cells": cells, "whole": whole})
    into["facilities"] = sorted(set(into["facilities"]))


def _find_headers(table: list[list[Cell | None]], rows: Iterable[int]) -> dict[str, int]:
    found: dict[str, list[str]] = {}
    for number in rows:
        for place, cell in enumerate(table[number - 1] if number <= len(table) else []):
            if cell is not None:
                found.setdefault(str(place), []).append(cell[1])
    headers: dict[str, int] = {}
    for place, texts in found.items():
        headers.setdefault(fold(" ".join(texts)), int(place))
    return headers


def _read_title(table: list[list[Cell | None]], row: int, prefix: str) -> str:
    for cell in table[row - 1] if row <= len(table) else []:
        if cell is not None and fold(cell[1]).startswith(fold(prefix)):
            return collapse_spaces(collapse_spaces(cell[1])[len(collapse_spaces(prefix)) :])
    return ""


def _read_block(sheet: str | None, prefix: str | None) -> str | None:
    if sheet is None or prefix is None:
        return None
    return (
        collapse_spaces(sheet[len(collapse_spaces(prefix)) :])
        if fold(sheet).startswith(fold(prefix))
        else sheet
    )


def _cell_at(line: list[Cell | None], place: int) -> Cell | None:
    return line[place] if place < len(line) else None
