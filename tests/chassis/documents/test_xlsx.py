"""XLSX: texts stay texts, equal content gives equal bytes, limits of a workbook."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import python_calamine

from chassis.documents import xlsx
from chassis.documents.cells import Cell
from chassis.documents.xlsx import Sheet, SheetTooLarge, render_xlsx

FORMULAS = ["=1+1", "+1", "-1", "@A1", "https://sertifikat.example", "{=A1}", "007"]


def sheet(*rows: Sequence[Cell], columns: tuple[str, ...] = ("Kolom",)) -> Sheet:
    return Sheet(title="Daftar", columns=columns, rows=rows)


def read(content: bytes) -> list[list[object]]:
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    return [list(row) for row in book.get_sheet_by_index(0).to_python()]


def test_a_text_is_never_a_formula_a_link_or_a_number() -> None:
    content = render_xlsx([sheet(*[[text] for text in FORMULAS])])
    assert read(content) == [["Kolom"], *[[text] for text in FORMULAS]]
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        written = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in written
    assert "hyperlink" not in written


def test_numbers_days_and_moments_are_written_as_such() -> None:
    moment = datetime(2026, 11, 30, 1, 2, 3, tzinfo=UTC)
    row: list[Cell] = [7, Decimal("-1.5"), True, date(2026, 11, 30), moment, None, 10**15]
    columns = tuple("abcdefg")
    [_, cells] = read(render_xlsx([sheet(row, columns=columns)]))
    assert cells == [
        7.0,
        -1.5,
        True,
        date(2026, 11, 30),
        datetime(2026, 11, 30, 1, 2, 3),  # noqa: DTZ001 - a workbook has no zones
        "",
        "1000000000000000",
    ]


def test_equal_content_gives_equal_bytes() -> None:
    assert render_xlsx([sheet(["a"])]) == render_xlsx([sheet(["a"])])


def test_a_text_longer_than_a_cell_is_refused() -> None:
    with pytest.raises(SheetTooLarge):
        render_xlsx([sheet(["x" * (xlsx.MAX_CELL_LENGTH + 1)])])


def test_more_rows_than_a_sheet_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "MAX_ROWS", 2)
    assert render_xlsx([sheet(["a"])])
    with pytest.raises(SheetTooLarge):
        render_xlsx([sheet(["a"], ["b"])])
