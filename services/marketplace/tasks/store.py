"""The stored tasks.

Not here: rules.
"""

from __future__ import annotations

from datetime import date

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from chassis.tasks import TaskCount, TaskState
from services.marketplace.tasks.rules import Task, TaskKind, TaskUnknown


class Tasks(Store[Task]):
    kind = Task
    collection = "tasks"
    unknown = TaskUnknown
    scope = {"facility": "facility_id"}
    schema = 2
    indexes = (
        Index("facility_id", "raised_at"),
        Index("facility_id", "state", "kind", "due_on"),
    )

    async def count_states(self) -> dict[str, int]:
        """Return the number of tasks in the caller's scope by state."""
        return await self.count_each("state", [state.value for state in TaskState])

    async def count_kinds(self, today: date) -> list[TaskCount]:
        """Return the unresolved tasks in the caller's scope by kind, and how many are overdue."""
        unresolved = {"state": TaskState.OPEN.value}
        late = unresolved | {"due_on": {"$lt": today.isoformat()}}
        counts = await self.count_by("kind", unresolved)
        overdue = await self.count_by("kind", late)
        return [
            TaskCount(kind=kind, unresolved=count, overdue=overdue.get(kind, 0))
            for kind, count in sorted(counts.items())
        ]

    async def list_page(
        self,
        state: TaskState | None,
        kind: TaskKind | None,
        role: str | None,
        cursor: str | None,
        limit: int,
    ) -> Page[Task]:
        """Return a page of the tasks in the caller's scope, oldest first."""
        where: dict[str, object] = {}
        if state is not None:
            where["state"] = state.value
        if kind is not None:
            where["kind"] = kind.value
        if role is not None:
            where["role"] = role
        return await self.page(where, sort=("raised_at", 1), cursor=cursor, limit=limit)
