"""What the stores of tasks have in common: counts by state and kind, and the list.

Not here: the kinds of tasks and their indexes, which are those of a service.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import ClassVar, TypeVar

from chassis.persistence.protocols import Aggregate
from chassis.persistence.store import Page, Store
from chassis.tasks import TaskCount, TaskState

T = TypeVar("T", bound=Aggregate)


class TaskStore(Store[T]):
    """A store of tasks with the fields `state`, `kind`, `role` and `due_on`.

    `unresolved` are the states in which an officer must still act, `opened` the field that orders
    the list.
    """

    unresolved: ClassVar[Sequence[TaskState]] = (TaskState.OPEN, TaskState.ACKNOWLEDGED)
    opened: ClassVar[str] = "opened_at"

    async def count_states(self) -> dict[str, int]:
        """Return the number of tasks in the caller's scope by state."""
        return await self.count_each("state", [state.value for state in TaskState])

    async def count_kinds(self, today: date) -> list[TaskCount]:
        """Return the unresolved tasks in the caller's scope by kind, and how many are overdue."""
        unresolved = {"state": {"$in": [state.value for state in self.unresolved]}}
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
        kind: StrEnum | None,
        role: str | None,
        cursor: str | None,
        limit: int,
    ) -> Page[T]:
        """Return a page of the tasks in the caller's scope, oldest first."""
        where: dict[str, object] = {}
        if state is not None:
            where["state"] = state.value
        if kind is not None:
            where["kind"] = kind.value
        if role is not None:
            where["role"] = role
        return await self.page(where, sort=(self.opened, 1), cursor=cursor, limit=limit)
