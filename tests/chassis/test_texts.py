"""Denied words: one list, whole words, ordinary trade phrases allowed."""

from __future__ import annotations

import pytest

from chassis.texts import DENIED_WORDS, find_denied_words, is_neutral


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
        ("Dana ASIMILASI", ["asimilasi"]),
        ("Anak-Binaan", ["anak binaan"]),
        ("Unit_Giatja", ["giatja"]),
        ("LPP Denpasar; mantan residivis", ["lpp", "residivis"]),
        ("Binadik/Ditjenpas", ["binadik", "ditjenpas"]),
        ("\uff2c\uff41\uff50\uff41\uff53", ["lapas"]),
    ],
)
def test_denied_words_are_found_and_trade_words_are_not(text: str, denied: list[str]) -> None:
    assert find_denied_words(text) == denied
    assert is_neutral(text) is (denied == [])


def test_the_list_holds_every_word_of_the_prison_service() -> None:
    """The words of certification 12.1 and 14.1."""
    assert set(DENIED_WORDS) == {
        "anak binaan",
        "andikpas",
        "asimilasi",
        "bapas",
        "bina",
        "binadik",
        "ditjenpas",
        "giatja",
        "imipas",
        "kemandirian",
        "kemenimipas",
        "kemenkumham",
        "lapas",
        "lapastika",
        "lpka",
        "lpp",
        "napi",
        "narapidana",
        "pas",
        "pemasyarakatan",
        "pembinaan",
        "penjara",
        "residivis",
        "rupbasan",
        "rutan",
        "tahanan",
        "warga binaan",
        "wbp",
    }
