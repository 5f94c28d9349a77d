"""What happens: items are opened once, seen, settled by a person or by a later fact."""

from __future__ import annotations

from chassis.ids import named_id
from chassis.persistence.store import Page
from services.training.tasks import rules
from services.training.tasks.rules import Task, TaskKind, TaskState
from services.training.transaction import Transaction


async def open_task(item: Task, tx: Transaction) -> None:
    """Open it unless the same is open."""
    if await tx.tasks.find_open(item.dedupe_key) is None:
        tx.tasks.add(item)


async def resolve_for_participant(
    participant_ref: str, kind: TaskKind, resolution: str, tx: Transaction
) -> None:
    """A later fact has answered what was asked about a person."""
    for item in await tx.tasks.list_unresolved_by_participant(participant_ref, kind):
        tx.tasks.save(item, rules.resolve(item, resolution, "", tx.caller.subject))


async def resolve_merge_proposal(one: str, other: str, tx: Transaction) -> None:
    """Two records are one now: what was proposed about them is done."""
    await resolve_open_task(
        rules.dedupe_key(TaskKind.MERGE_PROPOSAL, "", "", named_id(*sorted((one, other)))),
        "merged",
        tx,
    )


async def resolve_open_task(dedupe_key: str, resolution: str, tx: Transaction) -> None:
    """What this item asked has been answered, if it is still open."""
    item = await tx.tasks.find_open(dedupe_key)
    if item is not None:
        tx.tasks.save(item, rules.resolve(item, resolution, "", tx.caller.subject))


async def resolve_stopped_rows(facility_id: str, source_refs: set[str], tx: Transaction) -> None:
    """Rows that had stopped were taken in the end."""
    for item in await tx.tasks.list_unresolved_by_facility(facility_id, TaskKind.ROW_STOPPED):
        if item.facts.get("source_ref") in source_refs:
            tx.tasks.save(item, rules.resolve(item, "row_taken", "", tx.caller.subject))


async def resolve_custody_conflicts(
    facility_id: str, listed: frozenset[str], tx: Transaction
) -> None:
    """Two facilities listed a person; a full list of this one no longer does, so there is nothing left to decide."""
    items = await tx.tasks.list_unresolved_by_facility(facility_id, TaskKind.CUSTODY_CONFLICT)
    people = await tx.participants.many((item.participant_ref for item in items), scoped=False)
    for item in items:
        person = people.get(item.participant_ref)
        if person is None or not listed & {person.source_ref, *person.other_refs}:
            tx.tasks.save(
                item, rules.resolve(item, "no_longer_listed_twice", "", tx.caller.subject)
            )


async def replace_participant_ref(from_ref: str, into_ref: str, tx: Transaction) -> None:
    """What was asked about one reference is asked about the other; what is asked there already is asked once."""
    for item in await tx.tasks.list_unresolved_by_participant(from_ref):
        moved = rules.replace_participant_ref(item, into_ref)
        if item.state is TaskState.OPEN and await tx.tasks.find_open(moved.dedupe_key) is not None:
            moved = rules.resolve(moved, "merged", "", tx.caller.subject)
        tx.tasks.save(item, moved)


async def acknowledge_item(item_id: str, if_match: int | None, tx: Transaction) -> Task:
    """Somebody has seen it."""
    before = await tx.tasks.get(item_id, if_match=if_match)
    after = rules.acknowledge(before)
    return before if after == before else tx.tasks.save(before, after)


async def resolve_item(
    item_id: str, resolution: str, reason: str, if_match: int | None, tx: Transaction
) -> Task:
    """Settled by a person; the same again is no change."""
    before = await tx.tasks.get(item_id)
    after = rules.resolve(before, resolution, reason, tx.caller.subject)
    if after == before:
        return before
    await tx.tasks.get(item_id, if_match=if_match)
    return tx.tasks.save(before, after)


async def item(item_id: str, tx: Transaction) -> Task:
    """One item of the caller's."""
    found = await tx.tasks.get(item_id)
    tx.note("inbox_items.read", found.id, person=found.participant_ref)
    return found


async def items(
    state: TaskState | None, kind: TaskKind | None, cursor: str | None, limit: int, tx: Transaction
) -> Page[Task]:
    """The caller's items."""
    page = await tx.tasks.list_page(state, kind, cursor, limit)
    tx.note(
        "inbox_items.listed",
        "",
        refs=sorted({found.participant_ref for found in page.items} - {""}),
    )
    return page
