"""The store of LSPs."""

from __future__ import annotations

from chassis.persistence.store import Index, Page, Store
from services.certification.lsps.rules import Emblem, EmblemUnknown, Lsp, LspUnknown


class Lsps(Store[Lsp]):
    """LSPs, scoped by the caller's claim `lsp`."""

    kind = Lsp
    collection = "lsps"
    unknown = LspUnknown
    scope = {"lsp": "_id"}
    schema = 3
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

    async def list_with_compromised_keys(self) -> list[Lsp]:
        """Return the LSPs of which a key was compromised."""
        return await self.find({"keys.compromised_at": {"$type": "date"}}, scoped=False)

    async def list_licensed(self) -> list[Lsp]:
        """Return every LSP with a licence, also one that has ended; unscoped, for the metrics."""
        return await self.find({"licences.0": {"$exists": True}}, scoped=False)

    async def list_public_page(self, most: int) -> list[Lsp]:
        """Return up to `most` LSPs with a licence by name, unscoped: the trust list is public."""
        return await self.find(
            {"licences.0": {"$exists": True}}, sort=[("name", 1)], limit=most, scoped=False
        )


class Emblems(Store[Emblem]):
    """Emblems of LSPs, scoped by the caller's claim `lsp`."""

    kind = Emblem
    collection = "emblems"
    unknown = EmblemUnknown
    scope = {"lsp": "_id"}
    secret = frozenset({"content"})
