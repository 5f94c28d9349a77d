"""How schemes are kept."""

from __future__ import annotations

from chassis.persistence.store import Index, Page, Store
from services.certification.schemes.rules import Scheme, SchemeUnknown


class Schemes(Store[Scheme]):
    kind = Scheme
    collection = "schemes"
    unknown = SchemeUnknown
    scope = {"lsp": "lsp_id"}
    indexes = (Index("ref", ("edition", -1), unique=True), Index("lsp_id"))
    awaited = True

    async def find_newest(self, ref: str) -> Scheme | None:
        """The newest edition; unscoped, for a reference is one LSP's among all and editions are public."""
        return await self.first({"ref": ref}, sort=[("edition", -1)], scoped=False)

    async def list_page(self, ref: str | None, cursor: str | None, limit: int) -> Page[Scheme]:
        """Editions of the caller's schemes."""
        return await self.page({"ref": ref} if ref else {}, cursor=cursor, limit=limit)
