"""The store of timeline entries."""

from __future__ import annotations

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.training.timeline.rules import Entry


class Timeline(Store[Entry]):
    kind = Entry
    collection = "timeline"
    scope = {"own": "subject_ref"}
    indexes = (Index("subject_ref", "order"),)
    audited = False

    async def list_by_subject(self, subject_ref: str) -> list[Entry]:
        """Return all entries of a subject. Unscoped: they follow the subject."""
        return await self.find({"subject_ref": subject_ref}, scoped=False)

    async def list_page(self, subject_ref: str, cursor: str | None, limit: int) -> Page[Entry]:
        """Return a page of a subject's entries, in order.

        Unscoped: a caller who may read the participant or the class may read its timeline.
        """
        return await self.page(
            {"subject_ref": subject_ref},
            sort=("order", 1),
            cursor=cursor,
            limit=limit,
            scoped=False,
        )
