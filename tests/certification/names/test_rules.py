"""Rules for names that may be signed, and for words on public documents."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from chassis.documents.pdf import render_pdf
from chassis.texts import DENIED_WORDS
from services.certification.names import rules

SAMPLE = Path(__file__).parents[2] / "chassis/documents/sample.typ"


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
    assert not name.strip() or name.strip() not in str(refused.value).split()


@pytest.mark.scenario("C16/words")
@pytest.mark.parametrize("word", DENIED_WORDS)
def test_a_text_with_a_denied_word_is_refused_with_the_word(word: str) -> None:
    with pytest.raises(rules.WordDenied) as refusal:
        rules.require_neutral(f"LSP {word.title()} Mandiri", "name")
    assert word in refusal.value.facts["words"]
    assert refusal.value.field == "name"


@pytest.mark.parametrize(
    ("font", "weight", "style"),
    [
        ("Noto Sans", "regular", "normal"),
        ("Noto Sans", "bold", "normal"),
        ("Noto Sans", "regular", "italic"),
        ("Noto Serif", "regular", "normal"),
        ("Noto Serif", "bold", "normal"),
        ("Noto Serif", "regular", "italic"),
        ("Noto Serif Display", "bold", "normal"),
    ],
)
def test_every_printable_letter_is_in_each_font_of_the_papers(
    font: str, weight: str, style: str
) -> None:
    letters = [chr(number) for number in range(0x20, 0x11000)]
    printable = [letter for letter in letters if not rules.find_unprintable(letter)]
    assigned = [letter for letter in printable if unicodedata.category(letter) != "Cn"]
    data = {
        "title": "Huruf",
        "author": "LSP",
        "text": " ".join(assigned),
        "font": font,
        "weight": weight,
        "style": style,
    }
    assert len(assigned) > 1_500
    assert render_pdf(SAMPLE, data)


@pytest.mark.parametrize("text", ["测试", "A\u202eB", "\U0001f600", "\U00010780", "Tab\t"])
def test_a_text_that_a_paper_cannot_show_is_refused(text: str) -> None:
    with pytest.raises(rules.TextNotPrintable) as refusal:
        rules.require_paper_text(text, "title")
    assert refusal.value.field == "title"
