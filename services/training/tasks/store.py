"""The store of tasks."""

from __future__ import annotations

from datetime import date

from chassis.persistence.mongo import Index
from chassis.persistence.store import Page, Store
from chassis.tasks import TaskCount, TaskState
from services.training.tasks.rules import KEPT_APART, Task, TaskKind, TaskUnknown

_UNRESOLVED = [TaskState.OPEN.value, TaskState.ACKNOWLEDGED.value]


class Tasks(Store[Task]):
    kind = Task
    collection = "tasks"
    person = "participant_ref"
    unknown = TaskUnknown
    scope = {"facility": "facilities"}
    secret = frozenset({"facts"})
    schema = 2
    indexes = (
        Index("dedupe_key", unique=True, where={"state": TaskState.OPEN.value}),
        Index("dedupe_key", "opened_at"),
        Index("participant_ref", "kind"),
        Index("facilities", "kind"),
        Index("state", "due_on"),
        Index("facilities", "state", "kind", "due_on"),
        Index("resolution", "dedupe_key"),
    )

    async def find_open(self, dedupe_key: str) -> Task | None:
        """Return the open task with this key. Unscoped: two facilities can share one task."""
        return await self.first(
            {"dedupe_key": dedupe_key, "state": TaskState.OPEN.value}, scoped=False
        )

    async def find_kept_apart(self, dedupe_key: str) -> Task | None:
        """Return the task with this key by which records were kept apart. Unscoped."""
        return await self.first({"resolution": KEPT_APART, "dedupe_key": dedupe_key}, scoped=False)

    async def was_opened(self, dedupe_key: str) -> bool:
        """Return whether there has been a task with this key, open or not. Unscoped."""
        return await self.first({"dedupe_key": dedupe_key}, scoped=False) is not None

    async def list_unresolved_by_participant(
        self, participant_ref: str, kind: TaskKind | None = None
    ) -> list[Task]:
        """Return a person's unresolved tasks. Unscoped: they follow the person."""
        where: dict[str, object] = {
            "participant_ref": participant_ref,
            "state": {"$in": _UNRESOLVED},
        }
        if kind is not None:
            where["kind"] = kind.value
        return await self.find(where, scoped=False)

    async def list_unresolved_by_facility(self, facility_id: str, kind: TaskKind) -> list[Task]:
        """Return the unresolved tasks of one kind in a facility."""
        return await self.find(
            {"facilities": facility_id, "kind": kind.value, "state": {"$in": _UNRESOLVED}}
        )

    async def list_unresolved(self, kind: TaskKind) -> list[Task]:
        """Return the unresolved tasks of one kind in the caller's scope."""
        return await self.find({"kind": kind.value, "state": {"$in": _UNRESOLVED}})

    async def count_overdue(self, today: date) -> int:
        """Return the number of unresolved tasks that were due before this day."""
        return await self.count(
            {"state": {"$in": _UNRESOLVED}, "due_on": {"$lt": today.isoformat()}}
        )

    async def count_states(self) -> dict[str, int]:
        """Return the number of tasks in the caller's scope by state."""
        return await self.count_each("state", [state.value for state in TaskState])

    async def count_kinds(self, today: date) -> list[TaskCount]:
        """Return the unresolved tasks in the caller's scope by kind, and how many are overdue."""
        unresolved = {"state": {"$in": _UNRESOLVED}}
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
        return await self.page(where, sort=("opened_at", 1), cursor=cursor, limit=limit)
