"""Rules for texts on public documents: names of people, and words that reveal a prison.

Sources: certification R4, R7, 12.1, 14.1, C16. Names of units of the prison service need no list
of their own, because each of them begins with a denied word.
Not here: the denied words themselves (chassis/neutral_words.toml).
"""

from __future__ import annotations

import re
import unicodedata

from chassis.errors import Refused
from chassis.texts import DENIED_WORDS, TRADE_PHRASES

MAX_NAME_LENGTH = 120
_PLACEHOLDERS = frozenset({"undefined", "null", "none", "nan", "nil", "n/a", "na", "-", "--", "."})
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_LATIN_NAMES = ("LATIN", "MODIFIER LETTER")
_SPACES = re.compile(r" {2,}")
_WORD = re.compile(r"[^\W_]+")
_TRADE = re.compile(rf"\b(?:{'|'.join(TRADE_PHRASES)})\b")


class NameUnfit(Refused):
    """The name cannot be signed; `reason` says why, without the name itself."""

    code = "name_unfit"
    title = "Nama tidak dapat ditulis pada sertifikat"
    field = "name"


class WordDenied(Refused):
    """The text would reveal where its holders were; `words` lists the denied words."""

    code = "word_denied"
    title = "Teks ini memuat kata yang tidak boleh tampil di luar"


def clean_name(name: str) -> str:
    """Return the name in NFC with single spaces. Raises NameUnfit.

    Control, bidi and zero-width characters are refused, because canonicalisers disagree on them and
    a reader cannot see them. Letters outside the Latin script are refused, because an identity card
    has none, the paper's font may lack them, and some look like Latin ones.
    """
    normal = unicodedata.normalize("NFC", name)
    if any(unicodedata.category(letter) in _INVISIBLE_CATEGORIES for letter in normal):
        raise NameUnfit("Nama memuat karakter yang tidak terlihat.", reason="invisible_character")
    spaced = "".join(" " if unicodedata.category(letter) == "Zs" else letter for letter in normal)
    clean = _SPACES.sub(" ", spaced).strip()
    if len(clean) > MAX_NAME_LENGTH:
        raise NameUnfit(f"Nama lebih panjang dari {MAX_NAME_LENGTH} huruf.", reason="too_long")
    letters = [letter for letter in clean if letter.isalpha()]
    if not all(_is_latin(letter) for letter in letters):
        raise NameUnfit("Nama memuat huruf selain huruf Latin.", reason="other_script")
    is_placeholder = all(word.casefold() in _PLACEHOLDERS for word in clean.split())
    if not letters or is_placeholder:
        raise NameUnfit("Nama kosong atau bukan nama.", reason="placeholder")
    return clean


def _is_latin(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(_LATIN_NAMES)


def find_denied_words(text: str) -> list[str]:
    """Return the denied words of a text: whole words, ordinary trade phrases left out."""
    words = " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
    without_trade = f" {_TRADE.sub('', words)} "
    return [word for word in DENIED_WORDS if f" {word} " in without_trade]


def require_neutral(text: str, field: str) -> str:
    """Return the text. Raises WordDenied with the denied words that it contains."""
    denied = find_denied_words(text)
    if denied:
        raise WordDenied(
            "Sertifikat dibaca pemberi kerja; gunakan nama yang netral.", field=field, words=denied
        )
    return text
