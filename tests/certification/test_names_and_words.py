"""Names that may be signed, and words that may stand on nothing that goes outside."""

from __future__ import annotations

from datetime import date

import pytest

from services.certification.certificates.rules import end_of_validity, start_of_validity
from services.certification.names import neutral, rules


@pytest.mark.parametrize(
    ("given", "signed"),
    [
        ("  Siti  Aminah ", "Siti Aminah"),
        ("Andre\u0301", "Andr\u00e9"),
        ("M. Ali Nur'aini, S.Kom", "M. Ali Nur'aini, S.Kom"),
        ("Budi\u00a0Santoso", "Budi Santoso"),
        ("O", "O"),
    ],
)
def test_a_name_is_signed_in_nfc_with_single_spaces(given: str, signed: str) -> None:
    assert rules.clean_name(given) == signed


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("", "placeholder"),
        ("   ", "placeholder"),
        ("undefined", "placeholder"),
        ("undefined undefined", "placeholder"),
        ("NULL", "placeholder"),
        ("-", "placeholder"),
        ("12345", "placeholder"),
        ("Budi\u0008", "invisible_character"),
        ("Budi\u001f", "invisible_character"),
        ("Budi\u007f", "invisible_character"),
        ("Budi\nSantoso", "invisible_character"),
        ("Budi\u202eSantoso", "invisible_character"),
        ("Budi\u200bSantoso", "invisible_character"),
        ("\ufeffBudi", "invisible_character"),
        ("\ud800", "invisible_character"),
        ("\u0412udi", "other_script"),
        ("x" * 121, "too_long"),
    ],
)
def test_what_is_no_name_or_cannot_be_seen_is_not_signed_and_not_told(
    given: str, reason: str
) -> None:
    with pytest.raises(rules.NameUnfit) as refused:
        rules.clean_name(given)
    assert refused.value.facts == {"reason": reason}
    assert not given.strip() or given.strip() not in refused.value.detail.split()


@pytest.mark.scenario("C16/words")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("LSP Konstruksi Nusantara", []),
        ("LSP Pemasyarakatan Mandiri", ["pemasyarakatan"]),
        ("lsp-pas-jaya", ["pas"]),
        ("Pasar Baru, Pasti, Binatu, Lapasan", []),
        ("Warga   Binaan", ["warga binaan"]),
        ("LAPAS Kelas IIB Tanjungpandan", ["lapas"]),
        ("bina.example", ["bina"]),
        ("Mengukur tahanan isolasi", []),
        ("Mengukur tahanan isolasi di Rumah Tahanan", ["tahanan"]),
        ("Membuat pas foto", []),
        ("\uff2c\uff41\uff50\uff41\uff53", ["lapas"]),
    ],
)
def test_words_that_tell_where_somebody_was_are_found_and_trade_words_are_not(
    text: str, found: list[str]
) -> None:
    assert neutral.find_denied_words(text) == found


@pytest.mark.parametrize(
    ("day", "months", "end"),
    [
        (date(2028, 2, 29), 36, "2031-02-28"),
        (date(2026, 11, 24), 36, "2029-11-24"),
        (date(2026, 8, 31), 6, "2027-02-28"),
        (date(2026, 12, 1), 1, "2027-01-01"),
        (date(2024, 2, 29), 48, "2028-02-29"),
    ],
)
def test_validity_is_calendar_arithmetic_in_one_zone(day: date, months: int, end: str) -> None:
    assert start_of_validity(day).isoformat() == f"{day}T00:00:00+07:00"
    assert end_of_validity(day, months).isoformat() == f"{end}T00:00:00+07:00"
