"""The stores of clients and of their used assertions. Not here: rules."""

from collections.abc import Mapping
from typing import ClassVar

from chassis.persistence.store import Index, Page, Store
from gateway.access.clients.rules import Assertion, AssertionUnknown, Client, ClientUnknown


class Clients(Store[Client]):
    """Clients by id; the administrators of their home see them."""

    kind = Client
    collection = "clients"
    unknown = ClientUnknown
    scope: ClassVar[Mapping[str, str]] = {"facility": "home"}
    indexes = (Index("home"), Index("user_id"))
    schema = 2
    secret = frozenset({"secrets"})

    async def find_by_user(self, user_id: str) -> Client | None:
        """Return the client with this user id, whatever the caller's scope."""
        return await self.first({"user_id": user_id}, scoped=False)

    async def list_page(self, cursor: str | None, limit: int) -> Page[Client]:
        """Return a page of clients by id."""
        return await self.page({}, cursor=cursor, limit=limit)


class Assertions(Store[Assertion]):
    """Used assertions. No claim gives access to them."""

    kind = Assertion
    collection = "assertions"
    unknown = AssertionUnknown
    scope: ClassVar[Mapping[str, str]] = {}
    indexes = (Index("kept_until", expire_seconds=0),)
    audited = False
