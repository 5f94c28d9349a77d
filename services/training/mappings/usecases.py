"""Use cases of mappings: read the one in force, set one, map a word to a code."""

from __future__ import annotations

import json
from collections.abc import Mapping as AnyMapping
from typing import Any

from services.training.facilities.rules import Facility
from services.training.mappings import rules
from services.training.mappings.rules import FileMapping, MappedValue, StoredMapping
from services.training.tasks import rules as task_rules
from services.training.tasks import usecases as tasks
from services.training.tasks.rules import TaskKind
from services.training.transaction import Transaction


async def read_mapping(facility: Facility, tx: Transaction) -> FileMapping:
    """Return the mapping in force for a facility. Raises MappingUnknown, MappingBroken.

    The mapping that an officer set replaces that of the mapping file.
    """
    stored = await tx.mappings.seek(facility.id)
    if stored is not None:
        in_file = tx.file_mappings.usable.get(facility.mapping)
        mapping = rules.replace_mapping(in_file, rules.parse_stored(stored))
    else:
        mapping = rules.require_mapping(tx.file_mappings.get(facility.mapping))
    return rules.add_mapped_values(mapping, await tx.mapped_values.list_by_facility(facility.id))


async def report_broken_mappings(tx: Transaction) -> None:
    """Open a task for each facility whose mapping cannot be used; resolve those that are right."""
    broken = tx.file_mappings.broken
    facilities = await tx.facilities.list_by_mapping(list(broken))
    replaced = await tx.mappings.many(facility.id for facility in facilities)
    affected = {facility.id: facility for facility in facilities if facility.id not in replaced}
    for facility in affected.values():
        unusable = broken[facility.mapping]
        task = task_rules.open_task(
            TaskKind.MAPPING_BROKEN,
            facility.id,
            tx.now,
            facility.local_date(tx.now),
            facts={"setting": unusable.setting, "word": unusable.word},
        )
        await tasks.open_task(task, tx)
    await tasks.resolve_repaired_mappings(frozenset(affected), tx)


async def set_mapping(
    facility_id: str, tables: AnyMapping[str, Any], if_match: int | None, tx: Transaction
) -> StoredMapping:
    """Store the tables by which the facility's files are read from now on.

    Raises MappingInvalid, and VersionRequired or VersionDiffers when it replaces a stored mapping.
    """
    facility = await tx.facilities.get(facility_id)
    before = await tx.mappings.seek(facility.id)
    if before is not None:
        rules.require_version(before, if_match)
    after = StoredMapping(
        id=facility.id, tables=json.dumps(tables, ensure_ascii=False), by=tx.caller.subject
    )
    rules.check_codes(rules.parse_stored(after))
    return tx.mappings.add(after) if before is None else tx.mappings.save(before, after)


async def map_value(
    facility_id: str, field: str, word: str, code: str, tx: Transaction
) -> MappedValue:
    """Map a word of this facility to a code; the same code again changes nothing."""
    facility = await tx.facilities.get(facility_id)
    mapping = await read_mapping(facility, tx)
    value = rules.map_value(mapping, facility.id, field, word, code, tx.caller.subject)
    before = await tx.mapped_values.seek(value.id)
    if before is None:
        return tx.mapped_values.add(value)
    if before.code == value.code:
        return before
    return tx.mapped_values.save(before, value)
