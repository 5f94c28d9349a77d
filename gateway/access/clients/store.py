"""How clients are kept, and which of their assertions were used."""

from collections.abc import Mapping
from typing import ClassVar

from chassis.persistence.store import Index, Page, Store
from gateway.access.clients.rules import Assertion, AssertionUnknown, Client, ClientUnknown


class Clients(Store[Client]):
    """Clients by id; shown to the administrators of their home."""

    kind = Client
    collection = "clients"
    unknown = ClientUnknown
    scope: ClassVar[Mapping[str, str]] = {"facility": "home"}
    indexes = (Index("home"), Index("user_id"))
    schema = 2
    secret = frozenset({"secrets"})

    async def find_by_user(self, user_id: str) -> Client | None:
        """The client that is this user, whoever asks."""
        return await self.first({"user_id": user_id}, scoped=False)

    async def list_page(self, cursor: str | None, limit: int) -> Page[Client]:
        """Clients in the order of their ids."""
        return await self.page({}, cursor=cursor, limit=limit)


class Assertions(Store[Assertion]):
    """Assertions that were used. No claim shows them to anybody."""

    kind = Assertion
    collection = "assertions"
    unknown = AssertionUnknown
    scope: ClassVar[Mapping[str, str]] = {}
    indexes = (Index("kept_until", expire_seconds=0),)
    audited = False
