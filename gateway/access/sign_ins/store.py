"""The store of sign-ins, each kept until it expires. Not here: rules."""

from collections.abc import Mapping
from typing import ClassVar

from chassis.persistence.store import Index, Store
from gateway.access.sign_ins.rules import SignIn, SignInUnknown


class SignIns(Store[SignIn]):
    """Sign-ins in progress. No claim gives access to them."""

    kind = SignIn
    collection = "signins"
    unknown = SignInUnknown
    scope: ClassVar[Mapping[str, str]] = {}
    indexes = (Index("expires_at", expire_seconds=0), Index("user_id"))
    audited = False

    async def find_by_user(self, user_id: str) -> list[SignIn]:
        """Return the sign-ins of a user."""
        return await self.find({"user_id": user_id}, scoped=False)
