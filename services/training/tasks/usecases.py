"""What happens: items are opened once, seen, settled by a person or by a later fact."""

from __future__ import annotations

from chassis.ids import named_id
from chassis.persistence.store import Page
from services.training.tasks import rules
from services.training.tasks.rules import Item, ItemKind, ItemState
from services.training.transaction import Transaction


async def open_item(item: Item, tx: Transaction) -> None:
    """Open it unless the same is open."""
    if await tx.inbox_items.open_like(item.dedupe_key) is None:
        tx.inbox_items.add(item)


async def settle(participant_ref: str, kind: ItemKind, resolution: str, tx: Transaction) -> None:
    """A later fact has answered what was asked about a person."""
    for item in await tx.inbox_items.unsettled_about(participant_ref, kind):
        tx.inbox_items.save(item, rules.resolve(item, resolution, "", tx.caller.subject))


async def settle_pair(one: str, other: str, tx: Transaction) -> None:
    """Two records are one now: what was proposed about them is done."""
    await settle_same(
        rules.dedupe_key(ItemKind.MERGE_PROPOSAL, "", "", named_id(*sorted((one, other)))),
        "merged",
        tx,
    )


async def settle_same(dedupe_key: str, resolution: str, tx: Transaction) -> None:
    """What this item asked has been answered, if it is still open."""
    item = await tx.inbox_items.open_like(dedupe_key)
    if item is not None:
        tx.inbox_items.save(item, rules.resolve(item, resolution, "", tx.caller.subject))


async def settle_rows(facility_id: str, source_refs: set[str], tx: Transaction) -> None:
    """Rows that had stopped were taken in the end."""
    for item in await tx.inbox_items.unsettled_in(facility_id, ItemKind.ROW_STOPPED):
        if item.facts.get("source_ref") in source_refs:
            tx.inbox_items.save(item, rules.resolve(item, "row_taken", "", tx.caller.subject))


async def settle_conflicts(facility_id: str, listed: frozenset[str], tx: Transaction) -> None:
    """Two facilities listed a person; a full list of this one no longer does, so there is nothing left to decide."""
    items = await tx.inbox_items.unsettled_in(facility_id, ItemKind.CUSTODY_CONFLICT)
    people = await tx.participants.many((item.participant_ref for item in items), scoped=False)
    for item in items:
        person = people.get(item.participant_ref)
        if person is None or not listed & {person.source_ref, *person.other_refs}:
            tx.inbox_items.save(
                item, rules.resolve(item, "no_longer_listed_twice", "", tx.caller.subject)
            )


async def rekey(from_ref: str, into_ref: str, tx: Transaction) -> None:
    """What was asked about one reference is asked about the other; what is asked there already is asked once."""
    for item in await tx.inbox_items.unsettled_about(from_ref):
        moved = rules.concerning(item, into_ref)
        if (
            item.state is ItemState.OPEN
            and await tx.inbox_items.open_like(moved.dedupe_key) is not None
        ):
            moved = rules.resolve(moved, "merged", "", tx.caller.subject)
        tx.inbox_items.save(item, moved)


async def acknowledge_item(item_id: str, if_match: int | None, tx: Transaction) -> Item:
    """Somebody has seen it."""
    before = await tx.inbox_items.get(item_id, if_match=if_match)
    after = rules.acknowledge(before)
    return before if after == before else tx.inbox_items.save(before, after)


async def resolve_item(
    item_id: str, resolution: str, reason: str, if_match: int | None, tx: Transaction
) -> Item:
    """Settled by a person; the same again is no change."""
    before = await tx.inbox_items.get(item_id)
    after = rules.resolve(before, resolution, reason, tx.caller.subject)
    if after == before:
        return before
    await tx.inbox_items.get(item_id, if_match=if_match)
    return tx.inbox_items.save(before, after)


async def item(item_id: str, tx: Transaction) -> Item:
    """One item of the caller's."""
    found = await tx.inbox_items.get(item_id)
    tx.note("inbox_items.read", found.id, person=found.participant_ref)
    return found


async def items(
    state: ItemState | None, kind: ItemKind | None, cursor: str | None, limit: int, tx: Transaction
) -> Page[Item]:
    """The caller's items."""
    page = await tx.inbox_items.listed(state, kind, cursor, limit)
    tx.note(
        "inbox_items.listed",
        "",
        refs=sorted({found.participant_ref for found in page.items} - {""}),
    )
    return page
