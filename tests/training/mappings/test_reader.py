"""The reader of snapshot files: workbooks as programs write them, CSV, and its limits."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from chassis.files.sandbox_child import LimitExceeded
from services.training.mappings import headings, reader
from services.training.mappings.parsed_file import Layout, ParsedFile
from services.training.mappings.rules import parse
from tests.training.snapshot_files import mapping_tables

COLUMNS = {"source_ref": "Induk", "name": "Nama", "admission_date": "Masuk", "block": "Kamar"}
HEADER = ("No", "Induk", "Nama", "Masuk", "Kamar", "UPT")


def layout(**facility: Any) -> Layout:
    """Return a layout with the columns of HEADER, changed by these settings."""
    tables = mapping_tables("LP-TJP")
    settings = tables["facility"] | {
        "format": "xlsx",
        "columns": COLUMNS,
        "values": {},
        "facility_from": {"column": "UPT"},
    }
    return parse("X", settings | facility, tables["common"], 1).layout


def person(number: int, **values: str) -> list[Any]:
    row = {"No": number, "Induk": f"R{number}", "Nama": f"Uji {number}", "Masuk": "01/02/2026"}
    row |= {"Kamar": "A1", "UPT": "X"} | values
    return [row[heading] for heading in HEADER]


def workbook(sheets: dict[str, list[list[Any]]], **hidden: str) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        sheet.sheet_state = hidden.get(title, "visible")
        for row in rows:
            sheet.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def read(data: bytes, **facility: Any) -> ParsedFile:
    return ParsedFile.of(reader.read(data, layout(**facility)))


def names(parsed: ParsedFile) -> list[str]:
    return [row["cells"]["name"][1] for row in parsed.rows]


LIST = [list(HEADER), person(1), person(2)]


def test_hidden_sheets_are_never_read_and_are_named() -> None:
    sheets = {"Bantu": LIST, "Rahasia": LIST, "Data": LIST, "Akhir": LIST}
    hidden = {"Bantu": "hidden", "Rahasia": "veryHidden", "Akhir": "hidden"}
    parsed = read(workbook(sheets, **hidden), sheets="each")
    assert names(parsed) == ["Uji 1", "Uji 2"]
    assert {row["sheet"] for row in parsed.rows} == {"Data"}
    assert [sheet.reason for sheet in parsed.skipped_sheets] == ["HIDDEN"] * 3


def test_a_list_on_the_second_sheet_is_found_behind_an_empty_one() -> None:
    parsed = read(workbook({"Sheet1": [], "Daftar": LIST}))
    assert names(parsed) == ["Uji 1", "Uji 2"]


def test_sheets_whose_names_differ_by_a_space_stay_apart() -> None:
    parsed = read(workbook({"Blok A": LIST, "Blok A ": LIST}), sheets="each")
    assert [row["sheet"] for row in parsed.rows] == ["Blok A", "Blok A", "Blok A ", "Blok A "]


def test_sixty_thousand_formatted_rows_are_no_rows() -> None:
    data = io.BytesIO()
    book: Any = xlsxwriter.Workbook(data)
    sheet = book.add_worksheet("Data")
    border = book.add_format({"border": 1})
    for number, row in enumerate(LIST):
        sheet.write_row(number, 0, row)
    for number in range(len(LIST), 60_000):
        sheet.write_blank(number, 1, None, border)
    book.close()
    assert names(read(data.getvalue())) == ["Uji 1", "Uji 2"]


def test_numbered_empty_rows_totals_and_signatures_are_no_data() -> None:
    below = [
        [3, None, None, None, None, None],
        [4, None, None, None, "A1", "X"],
        ["Jumlah", 2, None, None, None, None],
        [None, "TOTAL : 2", "orang", None, None, None],
        [None, None, "Pangkalpinang, 16 November 2026", None, None, None],
        [None, "Kepala Seksi", None, None, None, None],
        [None, "NIP. 000000000000000000", None, None, None, None],
    ]
    assert names(read(workbook({"Data": [*LIST, *below]}))) == ["Uji 1", "Uji 2"]


def test_a_row_without_reference_but_with_two_required_values_is_data() -> None:
    parsed = read(workbook({"Data": [*LIST, person(3, Induk="")]}))
    assert names(parsed) == ["Uji 1", "Uji 2", "Uji 3"]


def test_two_columns_with_one_heading_are_named() -> None:
    rows = [[*row, row[2]] for row in LIST]
    assert read(workbook({"Data": rows})).summary["twice"] == ["Nama"]


def test_an_upper_label_is_carried_over_the_columns_it_spans() -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["No", "Induk", "Nama", "Tanggal", None, "Kamar", "UPT"])
    sheet.append([None, None, None, "Masuk", "Keluar", None, None])
    sheet.append([1, "R1", "Uji 1", "01/02/2026", "01/03/2026", "A1", "X"])
    sheet.merge_cells("D1:E1")
    for column in "ABCFG":
        sheet.merge_cells(f"{column}1:{column}2")
    data = io.BytesIO()
    book.save(data)
    columns = COLUMNS | {"admission_date": "Tanggal Masuk", "release_date": "Tanggal Keluar"}
    parsed = read(data.getvalue(), header_rows=[1, 2], columns=columns)
    assert (parsed.summary["missing"], parsed.summary["twice"]) == ([], [])
    assert parsed.rows[0]["cells"]["release_date"] == ["text", "01/03/2026"]


def test_an_upper_label_of_csv_is_carried_over_empty_cells() -> None:
    head: list[headings.Line] = [
        [("text", "Nama"), ("text", "Tanggal"), None, ("text", "Ket.")],
        [None, ("text", "Masuk"), ("text", "Keluar"), None],
    ]
    found = headings.find(head, [1, 2], ())
    assert found.columns == {"nama": 0, "tanggal masuk": 1, "tanggal keluar": 2, "ket.": 3}


def test_a_formula_counts_by_its_stored_result() -> None:
    data = io.BytesIO()
    book: Any = xlsxwriter.Workbook(data)
    sheet = book.add_worksheet("Data")
    for number, row in enumerate(LIST):
        sheet.write_row(number, 0, row)
    sheet.write_formula(1, 2, '="Uji"&"1"', None, "Uji Rumus")
    book.close()
    assert names(read(data.getvalue())) == ["Uji Rumus", "Uji 2"]


def test_dates_of_a_1904_workbook_are_the_days_that_it_shows() -> None:
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    sheet = book.worksheets[0]
    for row in LIST:
        sheet.append(row)
    sheet["D2"] = date(2024, 6, 20)
    data = io.BytesIO()
    book.save(data)
    assert read(data.getvalue()).rows[0]["cells"]["admission_date"] == ["date", "2024-06-20"]


def csv_file(*lines: str, encoding: str = "utf-8") -> bytes:
    return "\r\n".join([";".join(HEADER), *lines]).encode(encoding)


def test_a_csv_line_may_lack_empty_columns_at_its_end_but_no_required_one() -> None:
    data = csv_file("1;R1;Uji 1;01/02/2026", "2;R2;Uji 2")
    parsed = read(data, format="csv", facility_from={"column": "Nama"})
    assert [row["whole"] for row in parsed.rows] == [True, False]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_csv_in_utf_8_is_read_as_such_whatever_the_mapping_says(encoding: str) -> None:
    data = csv_file("1;R1;Renée;01/02/2026;A1;X", encoding=encoding)
    assert names(read(data, format="csv", encoding="windows-1252")) == ["Renée"]


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("\u200bBudi\ufeff", "Budi"),
        ("Arman_x000D__x000A_Saputra", "Arman Saputra"),
        ("Rene\u0301", "René"),
        ("Budi\u00a0 \t Kurnia\u0007", "Budi Kurnia"),
    ],
)
def test_identity_text_is_normalised(written: str, stored: str) -> None:
    data = csv_file(f"1;R1;{written};01/02/2026;A1;X")
    assert names(read(data, format="csv")) == [stored]


def test_more_rows_or_csv_columns_than_allowed_end_the_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reader, "MAX_ROWS", 1)
    read_before = reader.read(workbook({"Data": LIST}), layout())
    assert next(read_before)
    with pytest.raises(LimitExceeded):
        next(read_before)
    wide = csv_file("1;R1;Uji;01/02/2026;A1;X;" + "x;" * 200)
    with pytest.raises(LimitExceeded):
        read(wide, format="csv")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 broken", b"\x00\xff\xfe"])
def test_bytes_that_are_no_workbook_are_no_snapshot(data: bytes) -> None:
    with pytest.raises(reader.NotASnapshot):
        read(data)
