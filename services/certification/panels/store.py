"""How panel decisions are kept."""

from __future__ import annotations

from chassis.persistence.store import Index, Page, Store
from services.certification.panels.rules import PanelDecision, PanelDecisionUnknown


class PanelDecisions(Store[PanelDecision]):
    kind = PanelDecision
    collection = "panel_decisions"
    unknown = PanelDecisionUnknown
    scope = {"lsp": "lsp_id"}
    indexes = (Index("lsp_id", ("decided_on", -1)),)

    async def list_page(self, cursor: str | None, limit: int) -> Page[PanelDecision]:
        """The caller's panel decisions, latest first."""
        return await self.page({}, sort=("decided_on", -1), cursor=cursor, limit=limit)
