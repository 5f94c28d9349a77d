"""Finds the heading of each column, which can span several header rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from services.training.text import fold

# (kind, text); the kind is text, number, date (ISO) or formula; an empty cell is None
Cell: TypeAlias = tuple[str, str]
Line: TypeAlias = list[Cell | None]
# (row, column) of the first and the last cell, from 0
MergedRange: TypeAlias = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Headings:
    """The column of each folded heading, and the headings of more than one column."""

    columns: dict[str, int]
    twice: list[str]


def find(
    head: Sequence[Line], header_rows: Sequence[int], merged: Sequence[MergedRange]
) -> Headings:
    """Return the headings in these rows (from 1).

    An upper label also counts for the columns to its right that it spans.
    """
    *upper_rows, last_row = sorted(header_rows)
    last = _labels(head, last_row)
    parts: dict[int, list[str]] = {}
    for row in upper_rows:
        for column, label in _carry(_labels(head, row), row, last, merged).items():
            parts.setdefault(column, []).append(label)
    for column, label in last.items():
        parts.setdefault(column, []).append(label)
    columns: dict[str, int] = {}
    twice: list[str] = []
    for column, labels in sorted(parts.items()):
        heading = " ".join(labels)
        if columns.setdefault(fold(heading), column) != column:
            twice.append(heading)
    return Headings(columns, twice)


def cell_at(line: Line, position: int) -> Cell | None:
    """Return the cell at this position; None when it is empty or beyond the line."""
    return line[position] if position < len(line) else None


def _labels(head: Sequence[Line], row: int) -> dict[int, str]:
    line = head[row - 1] if row <= len(head) else []
    return {column: cell[1] for column, cell in enumerate(line) if cell is not None}


def _carry(
    labels: dict[int, str], row: int, lower: dict[int, str], merged: Sequence[MergedRange]
) -> dict[int, str]:
    """Return the labels of an upper row, carried right over cells that have a lower label.

    A label in a merged cell is carried over that cell, another one up to the next label.
    """
    carried = dict(labels)
    starts = sorted(labels)
    for start, following in zip(starts, [*starts[1:], max(lower, default=0) + 1], strict=True):
        end = _end_of_merged(row - 1, start, merged)
        last = following - 1 if end is None else end
        for column in range(start + 1, last + 1):
            if column in lower and column not in labels:
                carried[column] = labels[start]
    return carried


def _end_of_merged(row: int, column: int, merged: Sequence[MergedRange]) -> int | None:
    """Return the last column of the merged cell that covers this one; None when it is single."""
    for (first_row, first_column), (last_row, last_column) in merged:
        if first_row <= row <= last_row and first_column == column:
            return last_column
    return None
