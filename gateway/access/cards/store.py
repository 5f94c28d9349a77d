"""The store of cards. Not here: rules."""

from collections.abc import Mapping
from typing import ClassVar

from chassis.persistence.store import Index, Store
from gateway.access.cards.rules import Card, CardUnknown


class Cards(Store[Card]):
    """Cards by an id that is derived from the issuing service and its reference.

    No claim gives access to them; a holder presents the code.
    """

    kind = Card
    collection = "cards"
    unknown = CardUnknown
    scope: ClassVar[Mapping[str, str]] = {}
    indexes = (Index("code", unique=True),)
    secret = frozenset({"code", "pin", "own"})

    async def find_by_code(self, code: str) -> Card | None:
        """Return the card with this hashed code, or None."""
        return await self.first({"code": code}, scoped=False)
