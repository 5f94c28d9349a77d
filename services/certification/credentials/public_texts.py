"""Texts of public documents, and dates as people write them.

Not here: the texts themselves (texts.toml of the service).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from chassis.texts import load_texts

TEXTS = load_texts(Path(__file__).parents[1] / "texts.toml")


def format_date(day: date) -> str:
    """Return a date as Indonesians write it, such as 24 November 2026."""
    month = TEXTS[f"month.{day.month}"].id
    return f"{day.day} {month} {day.year}"
