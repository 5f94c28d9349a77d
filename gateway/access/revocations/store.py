"""The store of revocations, each kept until its tokens have expired. Not here: rules."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from chassis.persistence.store import Index, Store
from gateway.access.revocations.rules import Revocation, RevocationUnknown


class Revocations(Store[Revocation]):
    """Revocations by target. No claim gives access to them; the gateway itself reads them."""

    kind = Revocation
    collection = "revocations"
    unknown = RevocationUnknown
    scope: ClassVar[Mapping[str, str]] = {}
    indexes = (Index("kept_until", expire_seconds=0),)

    async def find_in_force(self, now: datetime) -> list[Revocation]:
        """Return the revocations whose retention has not ended."""
        return await self.find({"kept_until": {"$gt": now}})
