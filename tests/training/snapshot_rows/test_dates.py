"""Dates of a list: forms, bounds, two-digit years, columns with days and months exchanged."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.training.mappings.parsed_file import RawRow
from services.training.mappings.rules import FileMapping, parse
from services.training.snapshot_rows import dates
from services.training.snapshot_rows.row_reader import read_row
from services.training.snapshot_rows.rules import ListedRow, RowError
from tests.training.snapshot_files import mapping_tables

TAKEN_ON = date(2026, 11, 16)
FORMS = [
    "excel_date",
    "dd/mm/yyyy",
    "dd-mm-yy",
    "yyyy-mm-dd",
    "dd-mmm-yy",
    "d mmm yyyy",
    "d month yyyy",
]


def mapping(*forms: str) -> FileMapping:
    tables = mapping_tables("LP-TJP")
    return parse(
        "X", tables["facility"] | {"date_formats": list(forms or FORMS)}, tables["common"], 1
    )


def read(**cells: str | tuple[str, str]) -> tuple[ListedRow, list[RowError]]:
    given: dict[str, str | tuple[str, str]] = {
        "source_ref": "R1",
        "name": "Uji",
        "admission_date": "05/06/2026",
    }
    kinds: dict[str, Any] = {
        name: list(cell) if isinstance(cell, tuple) else ["text", cell]
        for name, cell in (given | cells).items()
    }
    raw: RawRow = {"sheet": None, "number": 2, "cells": kinds, "whole": True}
    return read_row(raw, mapping(), TAKEN_ON)


@pytest.mark.parametrize(
    "text",
    ["16/11/1990", "1990-11-16", "16-Nov-90", "16 Nop 1990", "16 Nov. 1990", "16 November 1990"],
)
def test_each_form_of_a_mapping_is_read(text: str) -> None:
    assert read(birth_date=text)[0].birth_date == date(1990, 11, 16)


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("1 Agt 1990", 8),
        ("1 Aug 1990", 8),
        ("1 Mei 1990", 5),
        ("1 Des 1990", 12),
        ("1 Okt 1990", 10),
    ],
)
def test_months_have_indonesian_and_english_names(text: str, month: int) -> None:
    assert read(birth_date=text)[0].birth_date == date(1990, month, 1)


@pytest.mark.parametrize(
    ("field", "cell"),
    [
        ("birth_date", "01/01/0001"),
        ("birth_date", "01/01/1900"),
        ("birth_date", "31/12/1909"),
        ("birth_date", "06/06/2014"),
        ("birth_date", "01/01/2027"),
        ("birth_date", ("number", "1985")),
        ("birth_date", ("number", "32000")),
        ("birth_date", "1985"),
        ("expected_release", "31/12/9999"),
        ("expected_release", "01/01/2101"),
        ("expected_release", "04/06/2026"),
        ("release_date", "04/06/2026"),
        ("two_thirds_date", "31/12/9999"),
    ],
)
def test_a_date_outside_its_bounds_loses_only_the_field(
    field: str, cell: str | tuple[str, str]
) -> None:
    row, errors = read(**{field: cell})
    assert (row.stopped, getattr(row, field), row.lost) == (False, None, {field})
    assert [(error.field, error.reason.value) for error in errors] == [(field, "DATE_INVALID")]


@pytest.mark.parametrize(
    "cell", ["17/11/2026", "31/12/1949", ("number", "2026"), ("number", "46000"), "01/01/9999"]
)
def test_a_bad_admission_stops_the_row(cell: str | tuple[str, str]) -> None:
    row, errors = read(admission_date=cell)
    assert (row.stopped, [error.reason.value for error in errors]) == (True, ["DATE_INVALID"])


@pytest.mark.parametrize(
    ("field", "day"),
    [
        ("birth_date", "05/06/2014"),
        ("birth_date", "01/01/1910"),
        ("admission_date", "16/11/2026"),
        ("admission_date", "01/01/1950"),
        ("expected_release", "31/12/2100"),
        ("expected_release", "05/06/2026"),
    ],
)
def test_a_date_at_its_bound_is_taken(field: str, day: str) -> None:
    row, errors = read(**{field: day})
    assert getattr(row, field) is not None
    assert not errors


def test_a_two_digit_birth_year_is_the_latest_not_after_the_list() -> None:
    assert read(birth_date="25-12-26")[0].birth_date == date(1926, 12, 25)
    assert read(birth_date="25-12-99")[0].birth_date == date(1999, 12, 25)


def test_a_release_after_the_list_is_planned_and_no_movement() -> None:
    for day in ("20/12/2026", "20-12-26"):
        row, errors = read(release="Bebas Murni", release_date=day)
        assert (row.release, row.release_date, row.planned_kind) == ("", None, "free")
        assert (row.expected_release, errors) == (date(2026, 12, 20), [])


def rows(*cells: tuple[str, str]) -> list[RawRow]:
    return [
        {"sheet": None, "number": 1, "cells": {"birth_date": list(cell)}, "whole": True}
        for cell in cells
    ]


@pytest.mark.parametrize(
    "cells",
    [
        [("date", "1990-05-06"), ("date", "1990-05-13"), ("text", "25/06/1990")],
        [("date", "1990-05-06"), ("text", "05/06/1990"), ("text", "25/06/1990")],
        [("text", "25/06/1990"), ("text", "26/06/1990")],
        [("date", "1990-05-06"), ("text", "25 Mei 1990")],
    ],
)
def test_a_column_with_dates_of_both_halves_is_not_mixed(cells: list[tuple[str, str]]) -> None:
    assert not dates.are_mixed(rows(*cells))


def test_a_half_converted_column_is_mixed() -> None:
    real = [("date", "1990-05-06"), ("date", "1990-05-12")]
    assert dates.are_mixed(rows(*real, ("text", "25/06/1990")))
