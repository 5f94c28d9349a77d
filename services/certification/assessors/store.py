"""The store of assessors."""

from __future__ import annotations

from chassis.persistence.store import Index, Page, Store
from services.certification.assessors.rules import Assessor, AssessorUnknown


class Assessors(Store[Assessor]):
    """Assessors, scoped by the caller's claims `lsp` and `assignment`."""

    kind = Assessor
    collection = "assessors"
    unknown = AssessorUnknown
    scope = {"lsp": "lsp_id", "assignment": "_id"}
    indexes = (Index("lsp_id", "met_no", unique=True),)

    async def find_by_met_no(self, lsp_id: str, met_no: str) -> Assessor | None:
        """Return the assessor with this MET number at this LSP."""
        return await self.first({"lsp_id": lsp_id, "met_no": met_no})

    async def list_page(self, cursor: str | None, limit: int) -> Page[Assessor]:
        """Return a page of the caller's assessors."""
        return await self.page({}, cursor=cursor, limit=limit)
