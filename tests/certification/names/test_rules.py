"""Rules for names that may be signed, and for words on public documents."""

from __future__ import annotations

import pytest

from services.certification.names import rules


@pytest.mark.parametrize(
    ("name", "signed"),
    [
        ("  Siti  Aminah ", "Siti Aminah"),
        ("Andre\u0301", "Andr\u00e9"),
        ("M. Ali Nur'aini, S.Kom", "M. Ali Nur'aini, S.Kom"),
        ("Budi\u00a0Santoso", "Budi Santoso"),
        ("O", "O"),
    ],
)
def test_a_name_is_signed_in_nfc_with_single_spaces(name: str, signed: str) -> None:
    assert rules.clean_name(name) == signed


@pytest.mark.parametrize(
    ("name", "reason"),
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
def test_an_unfit_name_is_refused_and_not_repeated(name: str, reason: str) -> None:
    with pytest.raises(rules.NameUnfit) as refused:
        rules.clean_name(name)
    assert refused.value.facts == {"reason": reason}
    assert not name.strip() or name.strip() not in refused.value.detail.split()


@pytest.mark.scenario("C16/words")
@pytest.mark.parametrize(
    ("text", "denied"),
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
def test_denied_words_are_found_and_trade_words_are_not(text: str, denied: list[str]) -> None:
    assert rules.find_denied_words(text) == denied
