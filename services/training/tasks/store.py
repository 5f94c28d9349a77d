"""How the staff inbox is kept."""

from __future__ import annotations

from datetime import date

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.training.tasks.rules import Item, ItemKind, ItemState, ItemUnknown

_UNSETTLED = [ItemState.OPEN.value, ItemState.ACKNOWLEDGED.value]


class InboxItems(Store[Item]):
    kind = Item
    collection = "inbox_items"
    person = "participant_ref"
    unknown = ItemUnknown
    scope = {"facility": "facilities"}
    secret = frozenset({"facts"})
    indexes = (
        Index("dedupe_key", unique=True, where={"state": ItemState.OPEN.value}),
        Index("participant_ref", "kind"),
        Index("facilities", "kind"),
        Index("state", "due_on"),
    )

    async def open_like(self, dedupe_key: str) -> Item | None:
        """The open item that is the same. Unscoped: what concerns two facilities has one item."""
        return await self.first(
            {"dedupe_key": dedupe_key, "state": ItemState.OPEN.value}, scoped=False
        )

    async def unsettled_about(
        self, participant_ref: str, kind: ItemKind | None = None
    ) -> list[Item]:
        """What is not resolved about a person. Unscoped: a person's items follow the person."""
        where = {"participant_ref": participant_ref, "state": {"$in": _UNSETTLED}} | (
            {"kind": kind.value} if kind else {}
        )
        return await self.find(where, scoped=False)

    async def unsettled_in(self, facility_id: str, kind: ItemKind) -> list[Item]:
        """What is not resolved of one kind in a facility."""
        return await self.find(
            {"facilities": facility_id, "kind": kind.value, "state": {"$in": _UNSETTLED}}
        )

    async def overdue(self, today: date) -> int:
        """How many should have been settled before this day."""
        return await self.count(
            {"state": {"$in": _UNSETTLED}, "due_on": {"$lt": today.isoformat()}}
        )

    async def listed(
        self, state: ItemState | None, kind: ItemKind | None, cursor: str | None, limit: int
    ) -> Page[Item]:
        """The caller's items, oldest first."""
        where = {
            name: value
            for name, value in (("state", state and state.value), ("kind", kind and kind.value))
            if value
        }
        return await self.page(where, sort=("opened_at", 1), cursor=cursor, limit=limit)
