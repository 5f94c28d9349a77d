"""Sentences that officers and buyers read, in Indonesian. Not here: titles of errors, which stand with their errors."""

from __future__ import annotations

_TEXTS: dict[str, str] = {
    "stock_short": "Stok tidak cukup; tersisa {available}.",
    "needs_legal_confirmation": "Pembagian ini menunggu kepastian hukum.",
}


def text(name: str, **facts: object) -> str:
    """The sentence of this name with its facts filled in."""
    return _TEXTS[name].format(**facts)
