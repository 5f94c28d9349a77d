"""What happens: the mapping of a facility is looked up, and a word it uses is given a meaning."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping

from services.training.facilities.rules import Facility
from services.training.mappings import rules
from services.training.mappings.rules import MappedValue, Mapping, MappingUnknown
from services.training.transaction import Transaction


async def mapping_of(facility: Facility, tx: Transaction) -> Mapping:
    """How the facility's files are read today; MappingUnknown when nobody has said."""
    mappings: AnyMapping[str, Mapping] = tx.parts["mappings"]
    mapping = mappings.get(facility.mapping)
    if mapping is None:
        raise MappingUnknown
    return rules.taught(mapping, await tx.mapped_values.of(facility.id))


async def map_value(facility_id: str, field: str, word: str, code: str, tx: Transaction) -> MappedValue:
    """From now on this word of this facility means that code. The same again changes nothing."""
    facility = await tx.facilities.get(facility_id)
    value = rules.mapped(await mapping_of(facility, tx), facility.id, field, word, code, tx.caller.subject)
    before = await tx.mapped_values.seek(value.id)
    if before is None:
        return tx.mapped_values.add(value)
    if before.code == value.code:
        return before
    return tx.mapped_values.save(before, value)
