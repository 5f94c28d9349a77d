"""Rules of holders' cards.

A card with a code and a PIN gives a released person access to their own papers only
(certification.md 14.6). Not here: hashing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chassis.errors import NotFound, Unauthenticated
from gateway.texts import TEXTS

MAX_TRIES = 5
PIN_DIGITS = 6


class CardUnknown(NotFound):
    """No such card."""

    title = TEXTS["errors.card_unknown"]


class CardRefused(Unauthenticated):
    """No such card, a wrong PIN, or a locked card; callers cannot tell which."""

    title = TEXTS["errors.card_refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A holder's card.

    `own` are the references that the claim `own` lists; `code` and `pin` are hashes.
    """

    id: str
    version: int = 0
    home: str
    own: tuple[str, ...]
    code: str
    pin: str
    failures: int = 0
    locked_at: datetime | None = None


def count_try(card: Card | None, now: datetime) -> Card:
    """Count an attempt as failed until it succeeds; the fifth failed one locks the card."""
    if card is None or card.locked_at is not None:
        raise CardRefused
    failures = card.failures + 1
    return replace(card, failures=failures, locked_at=now if failures >= MAX_TRIES else None)


def accept_pin(card: Card) -> Card:
    """Return the card after a right PIN."""
    return replace(card, failures=0, locked_at=None)


def replace_pin(card: Card, pin: str) -> Card:
    """Return the card with another PIN, handed over in person; it is no longer locked."""
    return replace(card, pin=pin, failures=0, locked_at=None)
