"""Rules of raw cells: the texts of cells that were not accepted, and who may see them.

In a file with shifted columns any cell can hold a name or a number.
"""

from __future__ import annotations

from dataclasses import dataclass

from chassis.caller import Caller
from chassis.persistence.field_encryption import EncryptedField

NAMES_PERMISSION = "GET /v1/participants/{participant_ref}/identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawCell:
    """The text of one cell of a row, and the reference that the row states.

    `error_id` is the reported error, `matter` the subject of the task about it ("" = no task).
    """

    error_id: str
    matter: str = ""
    source_ref: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawCells:
    """A part of the raw cells of a facility's newest list, encrypted."""

    id: str
    version: int = 0
    facility_id: str
    snapshot_id: str
    sealed: EncryptedField


def may_see(caller: Caller) -> bool:
    """Return whether the caller may see raw cells: only who may see names."""
    return caller.system or NAMES_PERMISSION in caller.permissions


def facts_of(cell: RawCell) -> dict[str, str]:
    """Return what a task shows of the cell."""
    facts = {"source_ref": cell.source_ref, "raw": cell.text}
    return {name: value for name, value in facts.items() if value}
