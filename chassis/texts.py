"""Texts for users, by code, in the language of the reader, and the denied words.

Not here: the language that a request asks for (http.languages).
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, cast


def _load(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


_NEUTRAL_WORDS = _load(Path(__file__).with_name("neutral_words.toml"))

DENIED_WORDS: tuple[str, ...] = tuple(_NEUTRAL_WORDS["words"])
TRADE_PHRASES: tuple[str, ...] = tuple(_NEUTRAL_WORDS["trade_phrases"])
_WORD = re.compile(r"[^\W_]+")
_TRADE = re.compile(rf"\b(?:{'|'.join(TRADE_PHRASES)})\b")


class Language(StrEnum):
    """The languages of the texts."""

    INDONESIAN = "id"
    ENGLISH = "en"


# The language of the reader. A request sets it; jobs and events have the default.
READER_LANGUAGE = ContextVar("READER_LANGUAGE", default=Language.INDONESIAN)


@dataclass(frozen=True, slots=True)
class Text:
    """One text in both languages: `id` Indonesian, `en` English."""

    id: str
    en: str

    @property
    def localised(self) -> str:
        """The text in the language of the reader; only answers show it, nothing stores it."""
        return self.en if READER_LANGUAGE.get() is Language.ENGLISH else self.id

    def format(self, **values: object) -> Text:
        """Return the text with these values; a value that is a text has its own languages."""
        indonesian = {name: _in(value, "id") for name, value in values.items()}
        english = {name: _in(value, "en") for name, value in values.items()}
        return Text(id=self.id.format(**indonesian), en=self.en.format(**english))


def _in(value: object, language: str) -> object:
    return getattr(value, language) if isinstance(value, Text) else value


def localise(value: Any) -> Any:
    """Return the value with each text inside it in the language of the reader."""
    if isinstance(value, Text):
        return value.localised
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value)
        return {name: localise(member) for name, member in members.items()}
    if isinstance(value, list | tuple):
        return [localise(item) for item in cast("list[Any]", value)]
    return value


def load_texts(path: Path) -> Mapping[str, Text]:
    """Return the texts of a service's `texts.toml` by code, with those of the chassis.

    The file has tables of `CODE = { id = "...", en = "..." }`; a nested code is `table.CODE`.
    Raises KeyError when a text lacks a language.
    """
    texts = dict(TEXTS)
    _collect(_load(path), "", texts)
    return texts


def _collect(table: Mapping[str, Any], prefix: str, texts: dict[str, Text]) -> None:
    for name, value in table.items():
        code = f"{prefix}.{name}" if prefix else name
        if any(isinstance(inner, dict) for inner in value.values()):
            _collect(value, code, texts)
        else:
            texts[code] = Text(id=value["id"], en=value["en"])


def _load_own() -> Mapping[str, Text]:
    """Return the texts of the chassis by code."""
    texts: dict[str, Text] = {}
    _collect(_load(Path(__file__).with_name("texts.toml")), "", texts)
    return texts


TEXTS = _load_own()


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
