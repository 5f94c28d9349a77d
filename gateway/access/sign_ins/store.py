"""How sign-ins are kept: until they are over."""

from collections.abc import Mapping
from typing import ClassVar

from chassis.persistence.store import Index, Store
from gateway.access.sign_ins.rules import SignIn, SignInUnknown


class SignIns(Store[SignIn]):
    """Sign-ins under way. No claim shows them to anybody."""

    kind = SignIn
    collection = "signins"
    unknown = SignInUnknown
    scope: ClassVar[Mapping[str, str]] = {}
    indexes = (Index("expires_at", expire_seconds=0), Index("user_id"))
    audited = False

    async def find_by_user(self, user_id: str) -> list[SignIn]:
        """Those of a user."""
        return await self.find({"user_id": user_id}, scoped=False)
