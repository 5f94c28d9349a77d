"""Words that tell where a person was, and so may stand on nothing that goes outside (certification 12.1, 14.1, C16).

Names of units of the prison service need no list of their own: each of them begins with one of these words.
Not here: names of people.
"""

from __future__ import annotations

import re
import unicodedata

from chassis.errors import Refused
from chassis.texts import DENIED_WORDS, TRADE_PHRASES

_WORD = re.compile(r"[^\W_]+")
_TRADE = re.compile(rf"\b(?:{'|'.join(TRADE_PHRASES)})\b")


class WordDenied(Refused):
    """The text would tell where its holders were; `words` names what is in the way."""

    code = "word_denied"
    title = "Teks ini memuat kata yang tidak boleh tampil di luar"


def find_denied_words(text: str) -> list[str]:
    """The denied words in this text, whole words only, after ordinary trade phrases are taken out."""
    words = " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
    words = f" {_TRADE.sub('', words)} "
    return [word for word in DENIED_WORDS if f" {word} " in words]


def require_neutral(text: str, field: str) -> str:
    """The text itself, or WordDenied with the words that are in the way."""
    if found := find_denied_words(text):
        raise WordDenied(
            "Sertifikat dibaca pemberi kerja; gunakan nama yang netral.", field=field, words=found
        )
    return text
