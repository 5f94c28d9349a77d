"""What is allowed: the card of somebody who is out of custody, with a code and a PIN, for their own papers and nothing else (certification.md 14.6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chassis.errors import NotFound, Unauthenticated

MAX_TRIES = 5
PIN_DIGITS = 6


class CardUnknown(NotFound):
    """No such card."""

    title = "Kartu tidak ditemukan"


class CardRefused(Unauthenticated):
    """No such card, another PIN, or locked: told apart by nobody."""

    title = "Kartu atau PIN tidak sesuai. Setelah lima kali salah kartu terkunci; minta PIN baru secara langsung"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A holder's way in. `own` are the references that the claim `own` lists; `code` and `pin` are hashes."""

    id: str
    version: int = 0
    home: str
    own: tuple[str, ...]
    code: str
    pin: str
    failures: int = 0
    locked_at: datetime | None = None


def count_try(card: Card | None, now: datetime) -> Card:
    """One more try, held to be wrong until it is right; the fifth wrong one locks."""
    if card is None or card.locked_at is not None:
        raise CardRefused
    failures = card.failures + 1
    return replace(card, failures=failures, locked_at=now if failures >= MAX_TRIES else None)


def accept_pin(card: Card) -> Card:
    """The PIN was right."""
    return replace(card, failures=0, locked_at=None)


def replace_pin(card: Card, pin: str) -> Card:
    """Another PIN, handed over in person; the card is no longer locked."""
    return replace(card, pin=pin, failures=0, locked_at=None)
