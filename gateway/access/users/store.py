"""The store of users. Not here: rules."""

from collections.abc import Mapping
from typing import ClassVar

from chassis.persistence.store import Index, Page, Store
from gateway.access.users.rules import User, UserUnknown


class Users(Store[User]):
    """Users by id and by the issuer's name for them; the administrators of their home see them."""

    kind = User
    collection = "users"
    unknown = UserUnknown
    scope: ClassVar[Mapping[str, str]] = {"facility": "home"}
    indexes = (Index("issuer", "external", unique=True), Index("home"))
    schema = 3
    secret = frozenset({"external"})

    async def find_by_external(self, issuer: str, external: str) -> User | None:
        """Return the user of this name at this issuer, whatever the caller's scope."""
        return await self.first({"issuer": issuer, "external": external}, scoped=False)

    async def list_page(self, cursor: str | None, limit: int) -> Page[User]:
        """Return a page of users by id."""
        return await self.page({}, cursor=cursor, limit=limit)
