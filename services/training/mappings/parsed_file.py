"""What parent and sandbox exchange about a file: its layout, and its rows as they are.

Not here: reading the file (reader).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from sys import intern
from typing import Any, TypedDict

TEXT = "text"
NUMBER = "number"
DATE = "date"
FORMULA = "formula"
CSV = "csv"
FORMATS = frozenset({CSV, "xlsx", "xls", "ods"})
ENCODINGS = {"utf-8 with byte order mark": "utf-8-sig"}


class Layout(TypedDict):
    """The layout of a facility's files: the part of a mapping that the sandbox receives.

    `empty_values` and `total_markers` are folded.
    """

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
    required: list[str]
    empty_values: list[str]
    total_markers: list[str]


class RawRow(TypedDict):
    """One listed row: sheet, number in the sheet (from 1, all rows counted), mapped cells.

    `whole` is False for a row with values beyond the header, or one that ends before a required
    column.
    """

    sheet: str | None
    number: int
    cells: dict[str, list[str]]
    whole: bool


@dataclass(frozen=True, slots=True)
class SkippedSheet:
    """A sheet that was not read; `reason` is IGNORED, HIDDEN, EMPTY or NOT_A_TABLE."""

    sheet: str
    reason: str


class FileSummary(TypedDict):
    """What the guards ask about a file.

    `missing` are mapped headings that it lacks, `twice` headings of more than one column,
    `facilities` the facilities that it names, `skipped` pairs of a sheet and the reason.
    """

    missing: list[str]
    twice: list[str]
    facilities: list[str]
    skipped: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """The rows of a file and its summary."""

    rows: list[RawRow]
    summary: FileSummary

    @property
    def skipped_sheets(self) -> tuple[SkippedSheet, ...]:
        """The sheets that were not read."""
        return tuple(SkippedSheet(*skipped) for skipped in self.summary["skipped"])

    @classmethod
    def of(cls, values: Iterable[Any]) -> ParsedFile:
        """Return the file of which the reader yielded these values, the summary last."""
        *rows, summary = values
        return cls([_shared(row) for row in rows], summary)

    @classmethod
    def held(cls, rows: list[RawRow], facility_id: str) -> ParsedFile:
        """Return the file of rows that were kept after its columns had been found."""
        summary: FileSummary = {
            "missing": [],
            "twice": [],
            "facilities": [facility_id],
            "skipped": [],
        }
        return cls(rows, summary)


def _shared(row: RawRow) -> RawRow:
    """Return the row with one text for each name and kind, which a big file has by the thousand."""
    cells = {intern(name): [intern(kind), text] for name, (kind, text) in row["cells"].items()}
    return {"sheet": row["sheet"], "number": row["number"], "cells": cells, "whole": row["whole"]}
