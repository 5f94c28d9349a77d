"""CSV for spreadsheets: RFC 4180 in UTF-8 with a byte order mark, texts guarded.

Not here: what the columns mean.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from chassis.documents.cells import Cell, guard_formula


def render_csv(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Return the table with its headings. A number stays a number, a text never is a formula.

    Dates are in ISO 8601, a missing value is an empty field.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    for row in (columns, *rows):
        writer.writerow([_format_cell(cell) for cell in row])
    return out.getvalue().encode("utf-8-sig")


def _format_cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return guard_formula(cell)
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, date):
        return cell.isoformat()
    return f"{cell:f}" if isinstance(cell, Decimal) else str(cell)
