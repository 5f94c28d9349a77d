"""What happens: programmes are published, edition after edition."""

from __future__ import annotations

from chassis.ids import new_id
from chassis.persistence.store import Page
from services.training.programmes import rules
from services.training.programmes.rules import Branch, Edition, Programme
from services.training.transaction import Transaction


async def publish_programme(branch: Branch, edition: Edition, tx: Transaction) -> Programme:
    """A new programme with its first edition."""
    return tx.programmes.add(
        rules.publish(Programme(id=new_id(), branch=branch), edition, tx.now, tx.caller.subject)
    )


async def publish_edition(
    programme_id: str, edition: Edition, if_match: int | None, tx: Transaction
) -> Programme:
    """One more edition; classes of the earlier ones go on as they are."""
    before = await tx.programmes.get(programme_id, if_match=if_match)
    return tx.programmes.save(before, rules.publish(before, edition, tx.now, tx.caller.subject))


async def programme(programme_id: str, tx: Transaction) -> Programme:
    """One programme."""
    return await tx.programmes.get(programme_id)


async def programmes(cursor: str | None, limit: int, tx: Transaction) -> Page[Programme]:
    """All programmes."""
    return await tx.programmes.list_page(cursor, limit)
