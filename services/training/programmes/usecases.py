"""Use cases of programmes: publish a programme, publish a further edition, read and list."""

from __future__ import annotations

from chassis.ids import new_id
from chassis.persistence.store import Page
from services.training.programmes import rules
from services.training.programmes.rules import Branch, Edition, Programme
from services.training.transaction import Transaction


async def publish_programme(branch: Branch, edition: Edition, tx: Transaction) -> Programme:
    """Add a programme with its first edition. Raises UnitsRepeated."""
    empty = Programme(id=new_id(), branch=branch)
    return tx.programmes.add(rules.publish(empty, edition, tx.now, tx.caller.subject))


async def publish_edition(
    programme_id: str, edition: Edition, if_match: int, tx: Transaction
) -> Programme:
    """Add an edition to a programme; classes of earlier editions do not change."""
    before = await tx.programmes.get(programme_id, if_match=if_match)
    return tx.programmes.save(before, rules.publish(before, edition, tx.now, tx.caller.subject))


async def read_programme(programme_id: str, tx: Transaction) -> Programme:
    """Return one programme."""
    return await tx.programmes.get(programme_id)


async def list_programmes(cursor: str | None, limit: int, tx: Transaction) -> Page[Programme]:
    """Return a page of all programmes."""
    return await tx.programmes.list_page(cursor, limit)
