"""How cards are kept."""

from collections.abc import Mapping
from typing import ClassVar

from chassis.persistence.store import Index, Store
from gateway.access.cards.rules import Card, CardUnknown


class Cards(Store[Card]):
    """Cards by the reference of the service that gave them. No claim shows them to anybody: whoever holds one shows its code."""

    kind = Card
    collection = "cards"
    unknown = CardUnknown
    scope: ClassVar[Mapping[str, str]] = {}
    indexes = (Index("code", unique=True),)
    secret = frozenset({"code", "pin", "own"})

    async def find_by_code(self, code: str) -> Card | None:
        """The card with this code (hash)."""
        return await self.first({"code": code}, scoped=False)
