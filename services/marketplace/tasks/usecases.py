"""Use cases of tasks: raise one, list them, finish one.

Not here: rules.
"""

from __future__ import annotations

from chassis.persistence.store import Page
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
    task = Task(
        id=task_id,
        facility_id=facility_id,
        kind=kind,
        subject=subject,
        facts=facts,
        raised_at=tx.now,
    )
    tx.tasks.add(task, scoped=False)


async def list_tasks(cursor: str | None, limit: int, tx: Transaction, *, done: bool) -> Page[Task]:
    """Return one page of the open (or done) tasks."""
    return await tx.tasks.list_page(cursor, limit, done=done)


async def finish(task_id: str, outcome: str, version: int, tx: Transaction) -> Task:
    """Record how a task was settled."""
    before = await tx.tasks.get(task_id, if_match=version)
    after = rules.finish(before, outcome=outcome, by=tx.caller.subject, now=tx.now)
    return tx.tasks.save(before, after)
