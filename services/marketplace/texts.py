"""Sentences that officers and buyers read, in Indonesian. Not here: titles of errors, which stand with their errors."""

from __future__ import annotations

_TEXTS = {
    "stock_short": "Stok tidak cukup; tersisa {available}.",
}


def text(name: str, **facts: object) -> str:
    """The sentence of this name with its facts filled in."""
    return _TEXTS[name].format(**facts)
