"""The store of tasks."""

from __future__ import annotations

from datetime import date

from chassis.persistence.mongo import Index
from chassis.persistence.task_store import TaskStore
from chassis.tasks import TaskState
from services.training.tasks.rules import KEPT_APART, Task, TaskKind, TaskUnknown

_UNRESOLVED = [TaskState.OPEN.value, TaskState.ACKNOWLEDGED.value]


class Tasks(TaskStore[Task]):
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
