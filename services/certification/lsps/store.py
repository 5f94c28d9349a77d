"""The store of LSPs."""

from __future__ import annotations

from chassis.persistence.store import Index, Page, Store
from services.certification.lsps.rules import Lsp, LspUnknown


class Lsps(Store[Lsp]):
    """LSPs, scoped by the caller's claim `lsp`."""

    kind = Lsp
    collection = "lsps"
    unknown = LspUnknown
    scope = {"lsp": "_id"}
    indexes = (Index("slug", unique=True), Index("did", unique=True))

    async def list_page(self, cursor: str | None, limit: int) -> Page[Lsp]:
        """Return a page of the caller's LSPs."""
        return await self.page({}, cursor=cursor, limit=limit)

    async def find_by_slug(self, slug: str) -> Lsp | None:
        """Return the LSP with this slug.

        Unscoped, because DID documents are public and slugs are unique among all LSPs.
        """
        return await self.first({"slug": slug}, scoped=False)

    async def get_by_slug(self, slug: str) -> Lsp:
        """Return the LSP with this slug, unscoped. Raises LspUnknown."""
        lsp = await self.find_by_slug(slug)
        if lsp is None:
            raise LspUnknown
        return lsp

    async def find_by_did(self, did: str) -> Lsp | None:
        """Return the issuer with this DID. Unscoped, because anybody may verify."""
        return await self.first({"did": did}, scoped=False)
