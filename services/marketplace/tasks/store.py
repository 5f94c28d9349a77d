"""The stored tasks.

Not here: rules.
"""

from __future__ import annotations

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from services.marketplace.tasks.rules import Task, TaskUnknown


class Tasks(Store[Task]):
    kind = Task
    collection = "tasks"
    unknown = TaskUnknown
    scope = {"facility": "facility_id"}
    indexes = (Index("facility_id", "done_at"),)

    async def list_page(self, cursor: str | None, limit: int, *, done: bool) -> Page[Task]:
        """Return one page of the open (or done) tasks in the caller's scope."""
        where = {"done_at": {"$ne": None} if done else None}
        return await self.page(where, cursor=cursor, limit=limit)
