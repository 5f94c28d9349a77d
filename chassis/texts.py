"""Texts for users, by code, and the words that the certificate host must not show.

Not here: titles of errors, which are attributes of their classes (errors).
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def _load(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


_CHASSIS_TEXTS = _load(Path(__file__).with_name("texts.toml"))
_NEUTRAL_WORDS = _load(Path(__file__).with_name("neutral_words.toml"))

DENIED_WORDS: tuple[str, ...] = tuple(_NEUTRAL_WORDS["words"])
TRADE_PHRASES: tuple[str, ...] = tuple(_NEUTRAL_WORDS["trade_phrases"])
_WORD = re.compile(r"[^\W_]+")
_TRADE = re.compile(rf"\b(?:{'|'.join(TRADE_PHRASES)})\b")


@dataclass(frozen=True, slots=True)
class Text:
    """One text in both languages: `id` Indonesian, `en` English."""

    id: str
    en: str


def load_texts(path: Path) -> Mapping[str, Text]:
    """Return the texts of a service's `texts.toml` by code.

    The file has tables of `CODE = { id = "...", en = "..." }`; a nested code is `table.CODE`.
    Raises KeyError when a text lacks a language.
    """
    texts: dict[str, Text] = {}
    _collect(_load(path), "", texts)
    return texts


def _collect(table: Mapping[str, Any], prefix: str, texts: dict[str, Text]) -> None:
    for name, value in table.items():
        code = f"{prefix}.{name}" if prefix else name
        if any(isinstance(inner, dict) for inner in value.values()):
            _collect(value, code, texts)
        else:
            texts[code] = Text(id=value["id"], en=value["en"])


def read(table: str) -> Any:
    """Return one table of the chassis's own `texts.toml`."""
    return _CHASSIS_TEXTS[table]


def find_denied_words(text: str) -> list[str]:
    """Return the denied words of a text: whole words in any case, outside trade phrases.

    Signs, dashes and underscores separate words, and compatibility forms count as their letters.
    """
    words = " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
    without_trade = f" {_TRADE.sub('', words)} "
    return [word for word in DENIED_WORDS if f" {word} " in without_trade]


def is_neutral(text: str) -> bool:
    """Return whether the text contains no denied word."""
    return not find_denied_words(text)
