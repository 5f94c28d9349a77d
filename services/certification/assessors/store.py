"""How assessors are kept."""

from __future__ import annotations

from chassis.persistence.store import Index, Page, Store
from services.certification.assessors.rules import Assessor, AssessorUnknown


class Assessors(Store[Assessor]):
    kind = Assessor
    collection = "assessors"
    unknown = AssessorUnknown
    scope = {"lsp": "lsp_id", "assignment": "_id"}
    indexes = (Index("lsp_id", "met_no", unique=True),)

    async def find_by_met_no(self, lsp_id: str, met_no: str) -> Assessor | None:
        """The assessor of this MET number at this LSP."""
        return await self.first({"lsp_id": lsp_id, "met_no": met_no})

    async def list_page(self, cursor: str | None, limit: int) -> Page[Assessor]:
        """The caller's assessors."""
        return await self.page({}, cursor=cursor, limit=limit)
