"""The results of the demo as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from ops.demo import report

ID = "01a22d01-90c9-76bc-8a63-edca62c27809"
BOOKS = {"operasional": {"debit": 1_250_000, "credit": 1_250_000}}


@pytest.mark.parametrize(
    ("facts", "indonesian", "english"),
    [
        ({"total_idr": 100_000}, ["jumlah: Rp100.000"], ["total: Rp100.000"]),
        (
            {"split": {"premi": 30_000, "pnbp": 9_000}},
            ["pembagian: premi Rp30.000, pnbp Rp9.000"],
            ["split: premi Rp30.000, pnbp Rp9.000"],
        ),
        (
            {"books": BOOKS},
            ["buku: operasional (debit Rp1.250.000, kredit Rp1.250.000)"],
            ["books: operasional (debit Rp1.250.000, credit Rp1.250.000)"],
        ),
        ({"application_id": ID, "seats": 16}, ["kursi: 16"], ["seats: 16"]),
        ({"name_disclosed": True}, ["nama dibuka: ya"], ["name disclosed: yes"]),
        ({"warnings": [], "available_from": None}, [], []),
        (
            {"timeline": ["a", "b", "c", "d", "e"]},
            ["lini masa: a; b; c; dan 2 lagi"],
            ["timeline: a; b; c; and 2 more"],
        ),
        ({"new_fact": 1}, ["new fact: 1"], ["new fact: 1"]),
    ],
)
def test_facts_are_labelled_lines_with_rupiah_and_without_ids(
    monkeypatch: pytest.MonkeyPatch,
    facts: dict[str, Any],
    indonesian: list[str],
    english: list[str],
) -> None:
    monkeypatch.setenv("BINA_LANG", "id")
    assert report.format_facts(facts) == indonesian
    monkeypatch.setenv("BINA_LANG", "en")
    assert report.format_facts(facts) == english
