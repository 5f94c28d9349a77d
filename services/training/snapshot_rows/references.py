"""Rules of source references that lost or gained leading zeros, as numbers in a sheet do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from services.training.snapshot_rows.rules import ListedRow, RowError, RowErrorEffect, RowReason

ReadRow: TypeAlias = tuple[ListedRow, list[RowError]]
_MAX_DIGITS = 14


def spellings(ref: str) -> list[str]:
    """Return the reference with fewer or more leading zeros; none when it begins with a letter."""
    plain = ref.lstrip("0")
    if not plain[:1].isdigit():
        return []
    most = max(len(ref), _MAX_DIGITS) - len(plain)
    others = ("0" * zeros + plain for zeros in range(most + 1))
    return [other for other in others if other != ref]


def stop_other_spellings(
    read: Sequence[ReadRow], known: Collection[str], column: str
) -> list[ReadRow]:
    """Return the rows; one stops whose reference differs from a known one by leading zeros.

    The known person counts as listed. An earlier row of the file is known, too.
    """
    by_plain = {ref.lstrip("0"): ref for ref in sorted(known)}
    result: list[ReadRow] = []
    for row, errors in read:
        plain = row.source_ref.lstrip("0")
        is_known = row.source_ref in known or not spellings(row.source_ref)
        known_ref = row.source_ref if is_known else by_plain.setdefault(plain, row.source_ref)
        if known_ref == row.source_ref:
            result.append((row, errors))
        else:
            result.append(_stop(row, errors, known_ref, column))
    return result


def _stop(row: ListedRow, errors: Iterable[RowError], known_ref: str, column: str) -> ReadRow:
    error = RowError(
        sheet=row.sheet,
        row=row.number,
        column=column,
        field="source_ref",
        reason=RowReason.REFERENCE_ZEROS_DIFFER,
        effect=RowErrorEffect.ROW,
        known_ref=known_ref,
    )
    stopped = replace(row, stopped=True, source_ref=known_ref, written_ref=row.source_ref)
    return stopped, [*errors, error]
