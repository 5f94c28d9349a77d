"""How users are kept."""

from collections.abc import Mapping
from typing import ClassVar

from chassis.unit_of_work import Index, Store
from gateway.users.rules import User, UserUnknown


class Users(Store[User]):
    """Users by id and by the issuer's name for them. No claim shows them to anybody: only internal callers read them."""

    kind = User
    collection = "users"
    unknown = UserUnknown
    scope: ClassVar[Mapping[str, str]] = {}
    indexes = (Index("issuer", "external", unique=True),)
    secret = frozenset({"external"})

    async def called(self, issuer: str, external: str) -> User | None:
        """The user whom this issuer calls so."""
        return await self.first({"issuer": issuer, "external": external})
