"""What happens: a person is asked, and answers."""

from __future__ import annotations

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
    """Ask for a person's hand; the same kind and cause ask once."""
    task_id = f"{kind}/{cause_id}"
    if await tx.tasks.seek(task_id, scoped=False) is None:
        tx.tasks.add(
            Task(
                id=task_id,
                facility_id=facility_id,
                kind=kind,
                subject=subject,
                facts=facts,
                raised_at=tx.now,
            ),
            scoped=False,
        )


async def finish(task_id: str, outcome: str, if_match: int | None, tx: Transaction) -> Task:
    """Say how a task was settled."""
    before = await tx.tasks.get(task_id, if_match=if_match)
    return tx.tasks.save(
        before, rules.finish(before, outcome=outcome, by=tx.caller.subject, now=tx.now)
    )
