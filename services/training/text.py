"""The normal form of texts in files and mappings, and the form in which they are compared."""

from __future__ import annotations

import re
import unicodedata

_SPACES = re.compile(r"\s+")
# how Office Open XML writes a character that XML cannot hold, e.g. `_x000D_`
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
# control, format and surrogate characters; none of them is a letter that a person sees
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cs"})
_INVISIBLE_MARKS = frozenset(("\u034f\u115f\u1160\u3164\uffa0", *map(chr, range(0xFE00, 0xFE10))))


def normalise(text: str) -> str:
    """Return the text in NFC, without invisible characters, with single spaces, trimmed."""
    if text.isascii() and text.isprintable() and "_x" not in text:
        return " ".join(text.split())
    composed = unicodedata.normalize("NFC", _ESCAPE.sub(_unescape, text))
    visible = "".join(map(_visible, composed))
    return _SPACES.sub(" ", unicodedata.normalize("NFC", visible)).strip()


def fold(text: str) -> str:
    """Return the form in which headings, words and names are compared."""
    return normalise(text).casefold()


def _unescape(escape: re.Match[str]) -> str:
    """Return a space for an escaped space or line break, else nothing."""
    return " " if chr(int(escape[1], 16)).isspace() else ""


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    is_invisible = unicodedata.category(character) in _INVISIBLE_CATEGORIES
    return "" if is_invisible or character in _INVISIBLE_MARKS else character
