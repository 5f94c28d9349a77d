"""Use cases of tasks: raise one, list and count them, resolve one.

Not here: rules.
"""

from __future__ import annotations

from chassis.persistence.store import Page
from chassis.tasks import TaskCount, TaskState
from services.marketplace.tasks import rules
from services.marketplace.tasks.rules import Task, TaskKind
from services.marketplace.transaction import Transaction


async def raise_task_once(
    kind: TaskKind,
    cause_id: str,
    *,
    facility_id: str,
    subject: str,
    facts: dict[str, str],
    tx: Transaction,
) -> None:
    """Raise a task for officers, once for the same kind and cause."""
    task_id = f"{kind}/{cause_id}"
    if await tx.tasks.seek(task_id, scoped=False) is not None:
        return
    task = rules.raise_task(
        task_id, kind, facility_id=facility_id, subject=subject, facts=facts, now=tx.now
    )
    tx.tasks.add(task, scoped=False)


async def list_tasks(
    state: TaskState | None,
    kind: TaskKind | None,
    role: str | None,
    cursor: str | None,
    limit: int,
    tx: Transaction,
) -> tuple[Page[Task], dict[str, int]]:
    """Return a page of the tasks in the caller's scope, and the counts by state."""
    page = await tx.tasks.list_page(state, kind, role, cursor, limit)
    return page, await tx.tasks.count_states()


async def summarise_tasks(tx: Transaction) -> list[TaskCount]:
    """Return the open tasks in the caller's scope by kind."""
    return await tx.tasks.count_kinds(tx.now.date())


async def read_task(task_id: str, tx: Transaction) -> Task:
    """Return one task in the caller's scope."""
    return await tx.tasks.get(task_id)


async def resolve_task(
    task_id: str, resolution: str, reason: str, if_match: int, tx: Transaction
) -> Task:
    """Resolve the task; the same resolution again succeeds at any version and changes nothing."""
    before = await tx.tasks.get(task_id)
    after = rules.resolve(before, resolution, reason, by=tx.caller.subject, now=tx.now)
    if after == before:
        return before
    await tx.tasks.get(task_id, if_match=if_match)
    return tx.tasks.save(before, after)
