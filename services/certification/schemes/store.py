"""The store of schemes."""

from __future__ import annotations

from chassis.persistence.store import Index, Page, Store
from services.certification.schemes.rules import Scheme, SchemeUnknown


class Schemes(Store[Scheme]):
    """Editions of schemes, scoped by the caller's claim `lsp`."""

    kind = Scheme
    collection = "schemes"
    unknown = SchemeUnknown
    scope = {"lsp": "lsp_id"}
    indexes = (Index("ref", ("edition", -1), unique=True), Index("lsp_id"))
    awaited = True

    async def find_newest(self, ref: str) -> Scheme | None:
        """Return the newest edition of a scheme.

        Unscoped, because a reference belongs to one LSP among all, and editions are public.
        """
        return await self.first({"ref": ref}, sort=[("edition", -1)], scoped=False)

    async def get_newest(self, ref: str) -> Scheme:
        """Return the newest edition of a scheme, unscoped. Raises SchemeUnknown."""
        scheme = await self.find_newest(ref)
        if scheme is None:
            raise SchemeUnknown
        return scheme

    async def list_page(self, ref: str | None, cursor: str | None, limit: int) -> Page[Scheme]:
        """Return a page of editions of the caller's schemes."""
        return await self.page({"ref": ref} if ref else {}, cursor=cursor, limit=limit)
