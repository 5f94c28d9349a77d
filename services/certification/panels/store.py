"""The store of panel decisions."""

from __future__ import annotations

from chassis.persistence.store import Index, Page, Store
from services.certification.panels.rules import PanelDecision, PanelDecisionUnknown


class PanelDecisions(Store[PanelDecision]):
    """Panel decisions, scoped by the caller's claim `lsp`."""

    kind = PanelDecision
    collection = "panel_decisions"
    unknown = PanelDecisionUnknown
    scope = {"lsp": "lsp_id"}
    indexes = (Index("lsp_id", ("decided_on", -1)),)

    async def list_page(self, cursor: str | None, limit: int) -> Page[PanelDecision]:
        """Return a page of the caller's panel decisions, latest first."""
        return await self.page({}, sort=("decided_on", -1), cursor=cursor, limit=limit)
