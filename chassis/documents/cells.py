"""Cells of sheets, and the guard against texts that a spreadsheet would compute.

Not here: the formats (csv, xlsx).
"""

from __future__ import annotations

import unicodedata
from datetime import date, datetime
from decimal import Decimal

Cell = str | int | Decimal | bool | date | datetime | None

# Spreadsheets compute a text that begins with one of these (OWASP, CSV injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def guard_formula(text: str) -> str:
    """Return the text; an apostrophe precedes what a spreadsheet would take as a formula.

    Invisible letters, blanks and full-width forms before or of the first sign change nothing.
    """
    visible = "".join(
        letter for letter in text if unicodedata.category(letter) not in {"Cf", "Zs", "Zl", "Zp"}
    )
    starts_formula = unicodedata.normalize("NFKC", visible).startswith(_FORMULA_STARTS)
    return f"'{text}" if starts_formula else text
