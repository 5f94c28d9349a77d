"""Use cases of programmes: publish, publish a further edition, copy, read and list."""

from __future__ import annotations

from chassis.caller import EVERYTHING
from chassis.ids import new_id
from chassis.persistence.store import Page
from services.training.programmes import rules
from services.training.programmes.rules import Branch, Edition, Programme
from services.training.transaction import Transaction


async def publish_programme(
    branch: Branch, owner: str, edition: Edition, tx: Transaction
) -> Programme:
    """Add a programme with its first edition. Raises UnitsRepeated, OwnerNeeded."""
    empty = Programme(id=new_id(), owner=await _find_owner(owner, tx), branch=branch)
    return tx.programmes.add(rules.publish(empty, edition, tx.now, tx.caller.subject))


async def publish_edition(
    programme_id: str, edition: Edition, if_match: int, tx: Transaction
) -> Programme:
    """Add an edition to a programme; classes of earlier editions do not change."""
    rules.require_owner(await tx.programmes.get(programme_id), tx.caller)
    before = await tx.programmes.get(programme_id, if_match=if_match)
    return tx.programmes.save(before, rules.publish(before, edition, tx.now, tx.caller.subject))


async def copy_programme(programme_id: str, number: int, owner: str, tx: Transaction) -> Programme:
    """Add a programme of another owner that begins as a copy of an edition (0 = the newest)."""
    programme = await tx.programmes.get(programme_id)
    own = await _find_owner(owner, tx)
    copied = rules.copy(programme, number, new_id(), own, tx.now, tx.caller.subject)
    return tx.programmes.add(copied)


async def read_programme(programme_id: str, tx: Transaction) -> Programme:
    """Return one programme."""
    return await tx.programmes.get(programme_id)


async def list_programmes(cursor: str | None, limit: int, tx: Transaction) -> Page[Programme]:
    """Return a page of all programmes."""
    return await tx.programmes.list_page(cursor, limit)


async def _find_owner(wanted: str, tx: Transaction) -> str:
    """Return the owner of a new programme; a facility that is named must exist."""
    owner = rules.choose_owner(wanted, tx.caller)
    if wanted and owner != EVERYTHING:
        await tx.facilities.get(owner)
    return owner
