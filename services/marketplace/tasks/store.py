"""The stored tasks.

Not here: rules.
"""

from __future__ import annotations

from chassis.persistence.mongo import Index
from chassis.persistence.task_store import TaskStore
from chassis.tasks import TaskState
from services.marketplace.tasks.rules import Task, TaskUnknown


class Tasks(TaskStore[Task]):
    kind = Task
    collection = "tasks"
    unknown = TaskUnknown
    scope = {"facility": "facility_id"}
    schema = 2
    unresolved = (TaskState.OPEN,)
    opened = "raised_at"
    indexes = (
        Index("facility_id", "raised_at"),
        Index("facility_id", "state", "kind", "due_on"),
    )
