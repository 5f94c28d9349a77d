"""References that lost or gained leading zeros."""

from __future__ import annotations

from services.training.snapshot_rows.references import spellings, stop_other_spellings
from services.training.snapshot_rows.rules import ListedRow, RowError


def listed(*refs: str) -> list[tuple[ListedRow, list[RowError]]]:
    return [
        (ListedRow(sheet="", number=number, source_ref=ref), []) for number, ref in enumerate(refs)
    ]


def test_a_number_that_lost_zeros_stops_and_names_the_known_reference() -> None:
    [(row, errors)] = stop_other_spellings(listed("287102"), {"000287102"}, "No. Induk")
    assert (row.stopped, row.source_ref, row.written_ref) == (True, "000287102", "287102")
    [error] = errors
    assert (error.reason.value, error.known_ref, error.column) == (
        "REFERENCE_ZEROS_DIFFER",
        "000287102",
        "No. Induk",
    )


def test_a_later_row_of_the_file_stops_and_a_known_reference_never() -> None:
    read = stop_other_spellings(listed("0017", "17", "SR0017"), set(), "")
    assert [row.stopped for row, _ in read] == [False, True, False]
    known = stop_other_spellings(listed("0018", "18"), {"0018", "18"}, "")
    assert [row.stopped for row, _ in known] == [False, False]


def test_spellings_have_more_and_fewer_zeros_but_no_letters() -> None:
    assert {"17", "017", "00000000000017"} <= set(spellings("0017"))
    assert spellings("SR0017") == []
    assert "0017" not in spellings("0017")
