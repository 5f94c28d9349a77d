"""Use cases of tasks: open once, acknowledge, resolve by an officer or by a later fact."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from chassis.ids import named_id
from chassis.persistence.store import Page
from chassis.tasks import TaskCount, TaskState
from services.training.raw_cells import usecases as raw_cells
from services.training.tasks import rules
from services.training.tasks.rules import Task, TaskKind
from services.training.transaction import Transaction

_RESOLUTION_OF_UNLISTED = {
    TaskKind.CUSTODY_CONFLICT: "no_longer_listed_twice",
    TaskKind.TRANSFERRED_AWAY: "no_longer_listed",
}


async def open_task(task: Task, tx: Transaction) -> None:
    """Add the task unless the same one is open, or proposes to merge records kept apart."""
    if await tx.tasks.find_open(task.dedupe_key) is not None:
        return
    if await tx.tasks.find_kept_apart(task.dedupe_key) is None:
        tx.tasks.add(task)


async def are_kept_apart(pair: str, tx: Transaction) -> bool:
    """Return whether officers decided that the two records of a pair are two people."""
    key = rules.dedupe_key(TaskKind.MERGE_PROPOSAL, "", "", pair)
    return await tx.tasks.find_kept_apart(key) is not None


async def resolve_for_participant(
    participant_ref: str, kind: TaskKind, resolution: str, tx: Transaction
) -> None:
    """Resolve the tasks of this kind about a person, because a later fact answered them."""
    for task in await tx.tasks.list_unresolved_by_participant(participant_ref, kind):
        _resolve_by_fact(task, resolution, tx)


async def resolve_merge_proposal(first_ref: str, second_ref: str, tx: Transaction) -> None:
    """Resolve the proposal to merge these two records, because they were merged."""
    pair = named_id(*sorted((first_ref, second_ref)))
    key = rules.dedupe_key(TaskKind.MERGE_PROPOSAL, "", "", pair)
    await resolve_open_task(key, "merged", tx)


async def resolve_merged(task_id: str, tx: Transaction) -> None:
    """Resolve a merge proposal that was seen before its records were merged."""
    task = await tx.tasks.get(task_id, scoped=False)
    if task.state is not TaskState.RESOLVED:
        _resolve_by_fact(task, "merged", tx)


async def resolve_open_task(dedupe_key: str, resolution: str, tx: Transaction) -> None:
    """Resolve the task with this key if it is still open."""
    task = await tx.tasks.find_open(dedupe_key)
    if task is not None:
        _resolve_by_fact(task, resolution, tx)


async def resolve_stopped_rows(
    facility_id: str, source_refs: Collection[str], tx: Transaction
) -> None:
    """Resolve the tasks about stopped rows of these people, because the rows were applied."""
    cells = await raw_cells.read_by_facility(facility_id, tx)
    matters = {cell.matter for cell in cells if cell.source_ref in source_refs}
    for task in await tx.tasks.list_unresolved_by_facility(facility_id, TaskKind.ROW_STOPPED):
        if task.subject in matters:
            _resolve_by_fact(task, "row_taken", tx)


async def resolve_unlisted(facility_id: str, listed: frozenset[str], tx: Transaction) -> None:
    """Resolve what the full list of this facility answers by no longer naming the person.

    These are custody conflicts and transfers to other facilities.
    """
    for kind, resolution in _RESOLUTION_OF_UNLISTED.items():
        await _resolve_unlisted(kind, resolution, facility_id, listed, tx)


async def _resolve_unlisted(
    kind: TaskKind, resolution: str, facility_id: str, listed: frozenset[str], tx: Transaction
) -> None:
    tasks = await tx.tasks.list_unresolved_by_facility(facility_id, kind)
    people = await tx.participants.many((task.participant_ref for task in tasks), scoped=False)
    for task in tasks:
        person = people.get(task.participant_ref)
        if person is None or not listed & {person.source_ref, *person.other_refs}:
            _resolve_by_fact(task, resolution, tx)


async def resolve_repaired_mappings(broken: frozenset[str], tx: Transaction) -> None:
    """Resolve the tasks about unusable mappings of facilities that are not among these."""
    for task in await tx.tasks.list_unresolved(TaskKind.MAPPING_BROKEN):
        if task.facility_id not in broken:
            _resolve_by_fact(task, "repaired", tx)


async def replace_participant_ref(from_ref: str, into_ref: str, tx: Transaction) -> None:
    """Move the tasks of one reference to another; a task that is open there already is resolved."""
    for task in await tx.tasks.list_unresolved_by_participant(from_ref):
        moved = rules.replace_participant_ref(task, into_ref)
        if task.state is TaskState.OPEN and await tx.tasks.find_open(moved.dedupe_key) is not None:
            moved = rules.resolve(moved, "merged", "", tx.caller.subject)
        tx.tasks.save(task, moved)


async def acknowledge_task(task_id: str, if_match: int, tx: Transaction) -> Task:
    """Record that an officer has seen the task."""
    before = await tx.tasks.get(task_id, if_match=if_match)
    after = rules.acknowledge(before)
    return before if after == before else tx.tasks.save(before, after)


async def resolve_task(
    task_id: str, resolution: str, reason: str, if_match: int, tx: Transaction
) -> Task:
    """Resolve the task; the same resolution again succeeds at any version and changes nothing."""
    before = await tx.tasks.get(task_id)
    after = rules.resolve_by_officer(before, resolution, reason, tx.caller.subject)
    if after == before:
        return before
    await tx.tasks.get(task_id, if_match=if_match)
    return tx.tasks.save(before, after)


async def read_task(task_id: str, tx: Transaction) -> Task:
    """Return one task in the caller's scope, noted as read."""
    task = await tx.tasks.get(task_id)
    tx.note("inbox_items.read", task.id, person=task.participant_ref)
    return await view_task(task, tx)


async def view_task(task: Task, tx: Transaction) -> Task:
    """Return the task with the raw cell that it is about, for a caller who may see names."""
    [viewed] = await _view_tasks([task], tx)
    return viewed


async def list_tasks(
    state: TaskState | None,
    kind: TaskKind | None,
    role: str | None,
    cursor: str | None,
    limit: int,
    tx: Transaction,
) -> tuple[Page[Task], dict[str, int]]:
    """Return a page of the tasks in the caller's scope, noted as read, and the counts by state."""
    page = await tx.tasks.list_page(state, kind, role, cursor, limit)
    people = {task.participant_ref for task in page.items} - {""}
    tx.note("inbox_items.listed", "", refs=sorted(people))
    items = await _view_tasks(page.items, tx)
    return Page(items, page.next_cursor), await tx.tasks.count_states()


async def summarise_tasks(tx: Transaction) -> list[TaskCount]:
    """Return the unresolved tasks in the caller's scope by kind."""
    return await tx.tasks.count_kinds(tx.now.date())


async def _view_tasks(items: Sequence[Task], tx: Transaction) -> list[Task]:
    stopped = {task.facility_id for task in items if task.kind is TaskKind.ROW_STOPPED}
    cells = await raw_cells.show_by_matter(sorted(stopped), tx)
    return [rules.add_raw_cell(task, cells.get(task.subject)) for task in items]


def _resolve_by_fact(task: Task, resolution: str, tx: Transaction) -> None:
    tx.tasks.save(task, rules.resolve(task, resolution, "", tx.caller.subject))
