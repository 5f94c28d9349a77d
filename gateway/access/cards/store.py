"""The store of cards. Not here: rules."""

from collections.abc import Mapping
from typing import ClassVar

from chassis.persistence.store import Index, Store
from gateway.access.cards.rules import Card, CardUnknown


class Cards(Store[Card]):
    """Cards by the reference of the service that gave them.

    No claim shows them: a holder shows the code.
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
