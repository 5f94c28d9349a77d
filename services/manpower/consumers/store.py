"""How consumers are kept."""

from __future__ import annotations

from chassis.persistence.store import Index, Page
from services.manpower.agencies.rules import Status
from services.manpower.consumers import rules
from services.manpower.consumers.rules import Consumer
from services.manpower.visibility.store import OfficeRows


class Consumers(OfficeRows[Consumer]):
    """Consumers are administered inside; outside readers have no part in it."""

    kind = Consumer
    collection = "consumers"
    unknown = rules.ConsumerUnknown
    indexes = (Index("agency_id"), Index("credential_refs"))
    schema = 2

    async def list_page(
        self, agency_id: str | None, cursor: str | None, limit: int
    ) -> Page[Consumer]:
        """Consumers, of one agency or all."""
        return await self.page(
            {} if agency_id is None else {"agency_id": agency_id}, cursor=cursor, limit=limit
        )

    async def list_active(self) -> list[Consumer]:
        """All that are active, whoever asks."""
        return await self.find({"status": Status.ACTIVE}, scoped=False)

    async def list_by_credential(self, subject: str) -> list[Consumer]:
        """The consumers to whom a caller's credential belongs: asked for the caller's own admission, so no scope applies."""
        return await self.find({"credential_refs": subject}, scoped=False)
