"""XLSX workbooks: equal content gives equal bytes, no text is a formula or a link.

Not here: what the columns mean.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import xlsxwriter

from chassis.documents.cells import Cell
from chassis.errors import Refused
from chassis.texts import TEXTS

MAX_CELL_LENGTH = 32_767
MAX_ROWS = 1_048_576
# Excel computes with 15 digits; a longer number is written as text.
_MAX_NUMBER = 10**15
_MAX_WIDTH = 60
_CREATED = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}


class SheetTooLarge(Refused):
    """A sheet has more rows, or a cell more letters, than a workbook can hold."""

    title = TEXTS["errors.sheet_too_large"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One sheet: its title of at most 31 letters, its headings and its rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Sequence[Cell], ...]


def render_xlsx(sheets: Iterable[Sheet]) -> bytes:
    """Return the workbook. Moments are in UTC. Raises SheetTooLarge."""
    out = io.BytesIO()
    # Its types are partial.
    book: Any = xlsxwriter.Workbook(out, _OPTIONS)
    with book as workbook:
        workbook.set_properties({"created": _CREATED})
        formats = _Formats(
            heading=workbook.add_format({"bold": True, "text_wrap": True, "valign": "top"}),
            day=workbook.add_format({"num_format": "yyyy-mm-dd"}),
            moment=workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        )
        for sheet in sheets:
            _write_sheet(workbook.add_worksheet(sheet.title), sheet, formats)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class _Formats:
    heading: Any
    day: Any
    moment: Any


def _write_sheet(worksheet: Any, sheet: Sheet, formats: _Formats) -> None:
    if len(sheet.rows) >= MAX_ROWS:
        raise SheetTooLarge
    for column, heading in enumerate(sheet.columns):
        worksheet.write_string(0, column, heading, formats.heading)
        texts = [str(row[column]) for row in sheet.rows if row[column] is not None]
        width = max([len(heading), *(len(text) for text in texts)])
        worksheet.set_column(column, column, min(width + 2, _MAX_WIDTH))
    worksheet.freeze_panes(1, 0)
    for number, row in enumerate(sheet.rows, start=1):
        for column, cell in enumerate(row):
            _write_cell(worksheet, number, column, cell, formats)


def _write_cell(worksheet: Any, row: int, column: int, cell: Cell, formats: _Formats) -> None:
    if cell is None:
        return
    if isinstance(cell, bool):
        worksheet.write_boolean(row, column, cell)
    elif isinstance(cell, datetime):
        moment = cell.astimezone(UTC).replace(tzinfo=None)
        worksheet.write_datetime(row, column, moment, formats.moment)
    elif isinstance(cell, date):
        worksheet.write_datetime(row, column, cell, formats.day)
    elif isinstance(cell, int | Decimal) and abs(cell) < _MAX_NUMBER:
        worksheet.write_number(row, column, cell)
    else:
        _write_text(worksheet, row, column, str(cell))


def _write_text(worksheet: Any, row: int, column: int, text: str) -> None:
    """Write a text as it is: a text cell of a workbook is never computed."""
    if len(text) > MAX_CELL_LENGTH:
        raise SheetTooLarge
    worksheet.write_string(row, column, text)
