"""How LSPs are kept."""

from __future__ import annotations

from chassis.persistence.store import Index, Page, Store
from services.certification.lsps.rules import Lsp, LspUnknown


class Lsps(Store[Lsp]):
    kind = Lsp
    collection = "lsps"
    unknown = LspUnknown
    scope = {"lsp": "_id"}
    indexes = (Index("slug", unique=True), Index("did", unique=True))

    async def list_page(self, cursor: str | None, limit: int) -> Page[Lsp]:
        """The caller's LSPs."""
        return await self.page({}, cursor=cursor, limit=limit)

    async def find_by_slug(self, slug: str) -> Lsp | None:
        """The LSP of this public name; unscoped, for DID documents are public and names are unique through all."""
        return await self.first({"slug": slug}, scoped=False)

    async def find_by_did(self, did: str) -> Lsp | None:
        """The listed issuer of this DID; unscoped, for anybody may verify."""
        return await self.first({"did": did}, scoped=False)
