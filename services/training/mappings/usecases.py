"""What happens: the mapping of a facility is looked up, and a word it uses is given a meaning."""

from __future__ import annotations

import json
from collections.abc import Mapping as AnyMapping
from typing import Any

from services.training.facilities.rules import Facility
from services.training.mappings import rules
from services.training.mappings.rules import FileMapping, MappedValue, MappingUnknown, StoredMapping
from services.training.transaction import Transaction


async def read_mapping(facility: Facility, tx: Transaction) -> FileMapping:
    """How the facility's files are read today; MappingUnknown when nobody has said."""
    own = await tx.mappings.seek(facility.id)
    of_the_file: AnyMapping[str, FileMapping] = tx.file_mappings
    mapping = rules.parse_stored(own) if own else of_the_file.get(facility.mapping)
    if mapping is None:
        raise MappingUnknown
    return rules.add_mapped_values(mapping, await tx.mapped_values.list_by_facility(facility.id))


async def set_mapping(
    facility_id: str, tables: AnyMapping[str, Any], if_match: int | None, tx: Transaction
) -> StoredMapping:
    """From now on the facility's files are read by these tables (MappingInvalid when they cannot be used); VersionDiffers when `if_match` is not the one in force."""
    facility = await tx.facilities.get(facility_id)
    before = await tx.mappings.seek(facility.id)
    if before is not None and if_match is not None:
        await tx.mappings.get(facility.id, if_match=if_match)
    after = StoredMapping(
        id=facility.id, tables=json.dumps(tables, ensure_ascii=False), by=tx.caller.subject
    )
    rules.check_codes(rules.parse_stored(after))
    return tx.mappings.add(after) if before is None else tx.mappings.save(before, after)


async def map_value(
    facility_id: str, field: str, word: str, code: str, tx: Transaction
) -> MappedValue:
    """From now on this word of this facility means that code. The same again changes nothing."""
    facility = await tx.facilities.get(facility_id)
    value = rules.map_value(
        await read_mapping(facility, tx), facility.id, field, word, code, tx.caller.subject
    )
    before = await tx.mapped_values.seek(value.id)
    if before is None:
        return tx.mapped_values.add(value)
    if before.code == value.code:
        return before
    return tx.mapped_values.save(before, value)
