"""The store of applications."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chassis.persistence.store import Index, Page, Store
from services.certification.applications.rules import (
    Application,
    ApplicationState,
    ApplicationUnknown,
)


class Applications(Store[Application]):
    """Applications, scoped by the caller's claims `lsp` and `assignment`."""

    kind = Application
    collection = "applications"
    person = "origin_ref"
    unknown = ApplicationUnknown
    scope = {"lsp": "lsp_id", "assignment": "assessor_id"}
    indexes = (Index("origin_ref", unique=True), Index("lsp_id", "state"), Index("assessor_id"))
    secret = frozenset({"name"})

    async def list_page(
        self,
        state: ApplicationState | None,
        origin_refs: Iterable[str] | None,
        cursor: str | None,
        limit: int,
    ) -> Page[Application]:
        """Return a page of the caller's applications, optionally of one state or some origins."""
        where: dict[str, Any] = {}
        if state is not None:
            where["state"] = state
        if origin_refs is not None:
            where["origin_ref"] = {"$in": list(origin_refs)}
        return await self.page(where, cursor=cursor, limit=limit)
