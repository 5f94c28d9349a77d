"""Rules for texts on public documents: names of people, and words that reveal a prison.

Sources: certification R4, R7, 12.1, 14.1, C16. Names of units of the prison service need no list
of their own, because each of them begins with a denied word.
Not here: the denied words themselves (chassis/neutral_words.toml).
"""

from __future__ import annotations

import re
import unicodedata

from chassis.errors import Refused
from chassis.texts import find_denied_words
from services.certification.settings import TEXTS

MAX_NAME_LENGTH = 120
_PLACEHOLDERS = frozenset({"undefined", "null", "none", "nan", "nil", "n/a", "na", "-", "--", "."})
# Letters that every font of the papers has (chassis/documents/fonts).
_PRINTABLE_RANGES = (
    (0x0020, 0x007E),
    (0x00A0, 0x0377),
    (0x0391, 0x03A1),
    (0x03A3, 0x03C9),
    (0x1D00, 0x1DBF),
    (0x1E00, 0x1EFF),
    (0x2010, 0x2027),
    (0x2030, 0x205E),
    (0x2070, 0x2071),
    (0x2074, 0x208E),
    (0x2090, 0x209C),
    (0x20A0, 0x20BF),
    (0x2100, 0x215F),
    (0x2C60, 0x2C7F),
    (0xA722, 0xA7BF),
    (0xAB30, 0xAB6B),
    (0xFB00, 0xFB06),
)
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_LATIN_NAMES = ("LATIN", "MODIFIER LETTER")
_SPACES = re.compile(r" {2,}")


class NameUnfit(Refused):
    """The name cannot be signed; `reason` says why, without the name itself."""

    code = "name_unfit"
    title = TEXTS["errors.name_unfit"]
    field = "name"


class TextNotPrintable(Refused):
    """The text has a letter that the fonts of the papers lack; `letters` lists the letters."""

    title = TEXTS["errors.text_not_printable"]


class WordDenied(Refused):
    """The text would reveal where its holders were; `words` lists the denied words."""

    code = "word_denied"
    title = TEXTS["errors.word_denied"]


def clean_name(name: str) -> str:
    """Return the name in NFC with single spaces. Raises NameUnfit.

    Control, bidi and zero-width characters are refused, because canonicalisers disagree on them and
    a reader cannot see them. Letters outside the Latin script are refused, because an identity card
    has none, the paper's font may lack them, and some look like Latin ones.
    """
    normal = unicodedata.normalize("NFC", name)
    if any(unicodedata.category(letter) in _INVISIBLE_CATEGORIES for letter in normal):
        raise NameUnfit(TEXTS["details.name_invisible_character"], reason="invisible_character")
    spaced = "".join(" " if unicodedata.category(letter) == "Zs" else letter for letter in normal)
    clean = _SPACES.sub(" ", spaced).strip()
    if len(clean) > MAX_NAME_LENGTH:
        raise NameUnfit(
            TEXTS["details.name_too_long"].format(most=MAX_NAME_LENGTH), reason="too_long"
        )
    letters = [letter for letter in clean if letter.isalpha()]
    if not all(_is_latin(letter) for letter in letters) or find_unprintable(clean):
        raise NameUnfit(TEXTS["details.name_other_script"], reason="other_script")
    is_placeholder = all(word.casefold() in _PLACEHOLDERS for word in clean.split())
    if not letters or is_placeholder:
        raise NameUnfit(TEXTS["details.name_placeholder"], reason="placeholder")
    return clean


def _is_latin(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(_LATIN_NAMES)


def require_neutral(text: str, field: str) -> str:
    """Return the text. Raises WordDenied with the denied words that it contains."""
    denied = find_denied_words(text)
    if denied:
        raise WordDenied(TEXTS["details.word_denied"], field=field, words=denied)
    return text


def find_unprintable(text: str) -> list[str]:
    """Return the letters of a text that a paper cannot show, each once."""
    return [letter for letter in dict.fromkeys(text) if not _is_printable(letter)]


def _is_printable(letter: str) -> bool:
    return any(first <= ord(letter) <= last for first, last in _PRINTABLE_RANGES)


def require_paper_text(text: str, field: str) -> str:
    """Return a text that goes on papers. Raises WordDenied, TextNotPrintable."""
    unprintable = find_unprintable(text)
    if unprintable:
        raise TextNotPrintable(field=field, letters=unprintable)
    return require_neutral(text, field)
