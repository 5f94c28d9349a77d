"""What a report shows of the cells of a row that was not accepted."""

from __future__ import annotations

from datetime import date

import pytest

from services.training.mappings.parsed_file import RawRow
from services.training.mappings.rules import parse
from services.training.snapshot_rows.row_reader import read_row
from tests.training.snapshot_files import mapping_tables


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("Zulkarnaen 9904050402850001", ""),
        ("Reg 12345/2026", ""),
        ("Bebas Demi Hukum", "Bebas Demi Hukum"),
    ],
)
def test_a_cell_with_a_number_is_not_reported(cell: str, shown: str) -> None:
    tables = mapping_tables("LP-TJP")
    mapping = parse("X", tables["facility"], tables["common"], 1)
    cells = {"source_ref": ["text", "R1"], "name": ["text", "Uji"], "release": ["text", cell]}
    cells["admission_date"] = ["text", "05/06/2026"]
    raw: RawRow = {"sheet": None, "number": 2, "cells": cells, "whole": True}
    row, [error] = read_row(raw, mapping, date(2026, 11, 16))
    assert (row.stopped, error.reason.value, error.raw) == (True, "VALUE_UNMAPPED", shown)
