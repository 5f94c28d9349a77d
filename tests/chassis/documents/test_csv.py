"""CSV: the formula guard, types of cells, quoting."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.documents.cells import Cell
from chassis.documents.csv import render_csv


def written(cell: Cell) -> str:
    """Return a cell as a reader of the CSV gets it."""
    text = render_csv(["kolom"], [[cell]]).decode("utf-8-sig")
    [_, [field]] = list(csv.reader(io.StringIO(text, newline="")))
    return field


@pytest.mark.parametrize(
    "formula",
    [
        "=1+1",
        '=HYPERLINK("http://x","y")',
        "+62811",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\u200b=1",
        "\ufeff=1",
        "\u00a0=1",
        "＝1",  # a full-width sign
        "|cmd",
        "%0A",
    ],
)
def test_a_text_that_a_spreadsheet_would_compute_is_guarded(formula: str) -> None:
    assert written(formula) == f"'{formula}"


@pytest.mark.parametrize("text", ["Siti", "a=b", "7-Mei", "'=1", "", "3515012345678901"])
def test_an_ordinary_text_stays_as_it_is(text: str) -> None:
    assert written(text) == text


@pytest.mark.parametrize(
    ("cell", "field"),
    [
        (-5, "-5"),
        (Decimal("-0.50"), "-0.50"),
        (None, ""),
        (True, "1"),
        (date(2026, 11, 30), "2026-11-30"),
        (datetime(2026, 11, 30, 1, 2, tzinfo=UTC), "2026-11-30T01:02:00+00:00"),
    ],
)
def test_numbers_days_and_moments_are_written_as_such(cell: Cell, field: str) -> None:
    assert written(cell) == field


def test_headings_are_guarded_too() -> None:
    assert render_csv(["=1"], []) == b"\xef\xbb\xbf'=1\r\n"


@given(st.text())
def test_no_text_ever_begins_like_a_formula(text: str) -> None:
    field = written(text)
    assert not field.lstrip().startswith(("=", "+", "-", "@"))
    assert field in {text, f"'{text}"}
