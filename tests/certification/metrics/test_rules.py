"""When an LSP loses its last licence, and since when its keys sign."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from services.certification.lsps import rules as lsps
from services.certification.lsps.rules import Licence, Lsp, LspKind
from services.certification.metrics import rules

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
DAY = 86_400.0
ORIGIN = "https://sertifikat.example"


def lsp(*last_days: date) -> Lsp:
    """Return an LSP with a licence until each of these days."""
    made = lsps.register("lsp-1", slug="contoh", name="LSP Contoh", kind=LspKind.P1, origin=ORIGIN)
    licences = [
        Licence(
            number=f"BNSP {last_day}",
            valid_from=date(2024, 1, 1),
            valid_until=last_day,
            scheme_refs=frozenset({"skema-1"}),
        )
        for last_day in last_days
    ]
    return replace(made, licences=tuple(licences))


def with_keys(made: Lsp, **added_at: datetime) -> Lsp:
    for name, moment in added_at.items():
        made = lsps.add_key(made, name.replace("_", "-"), f"z{name}", moment)
    return made


def test_the_last_day_of_a_licence_counts_in_western_indonesia() -> None:
    left = rules.licence_left_seconds([lsp(date(2026, 12, 2))], NOW)
    assert left == (datetime(2026, 12, 2, 17, tzinfo=UTC) - NOW).total_seconds()


def test_the_first_lsp_that_loses_its_last_licence_counts() -> None:
    renewed = lsp(date(2026, 12, 1), date(2029, 12, 1))
    other = lsp(date(2027, 3, 1))
    both = rules.licence_left_seconds([renewed, other], NOW)
    assert both == rules.licence_left_seconds([other], NOW)


def test_a_licence_that_has_ended_raises_nothing() -> None:
    closed = with_keys(lsp(date(2026, 11, 29)), key_2020=NOW - timedelta(days=2_000))
    assert rules.licence_left_seconds([closed, lsp()], NOW) is None
    assert rules.signing_key_age_seconds([closed], NOW) is None


def test_the_oldest_key_that_still_signs_counts() -> None:
    made = with_keys(
        lsp(date(2027, 3, 1)),
        key_2024=NOW - timedelta(days=700),
        status_2025=NOW - timedelta(days=400),
        key_2026=NOW - timedelta(days=30),
    )
    assert rules.signing_key_age_seconds([made], NOW) == 400 * DAY
    assert rules.signing_key_age_seconds([lsp(date(2027, 3, 1))], NOW) is None


def test_a_compromised_key_does_not_count() -> None:
    made = with_keys(lsp(date(2027, 3, 1)), key_2025=NOW - timedelta(days=500))
    made = lsps.report_compromise(made, "key-2025", NOW)
    made = with_keys(made, key_2026_b=NOW - timedelta(days=1))
    assert rules.signing_key_age_seconds([made], NOW) == DAY
