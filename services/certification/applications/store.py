"""How applications are kept."""

from __future__ import annotations

from collections.abc import Iterable

from chassis.persistence.store import Index, Page, Store
from services.certification.applications.rules import (
    Application,
    ApplicationState,
    ApplicationUnknown,
)


class Applications(Store[Application]):
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
        """The caller's applications, of one state or of some origins if so asked."""
        where = ({"state": state} if state else {}) | (
            {} if origin_refs is None else {"origin_ref": {"$in": list(origin_refs)}}
        )
        return await self.page(where, cursor=cursor, limit=limit)
