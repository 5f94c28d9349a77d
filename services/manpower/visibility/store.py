"""Bases of stores: the rules of visibility, compiled into every query.

For each caller the filter and the rule `share_for` must agree on every row.
Not here: collections.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Protocol, TypeVar

from chassis.persistence.mongo import Filter
from chassis.persistence.store import Aggregate, Store
from services.manpower.visibility import rules
from services.manpower.visibility.rules import Column, Reader, Subject, Visibility

INSIDE_ROLES = frozenset({"administrator", "auditor", "case_officer", "head", "training_officer"})
"""Roles of the prison and of this system that may read offices, employers and vacancies.

`kanwil` is not one of them: it reads aggregates only.
"""


class PersonRow(Aggregate, Protocol):
    """A row about a person."""

    @property
    def visibility(self) -> Visibility: ...


class OwnedRow(Aggregate, Protocol):
    """A row without a person, and the facility that owns it (`*` = above all facilities)."""

    @property
    def owner(self) -> str: ...


P = TypeVar("P", bound=PersonRow)
A = TypeVar("A", bound=Aggregate)
W = TypeVar("W", bound=OwnedRow)


class PersonRows(Store[P]):
    """Rows about a person, of one kind (`subject`).

    Officers see those of their facility; outside readers those with a consent for them in force
    whose purpose opens this kind.
    """

    subject: ClassVar[Subject]

    scope = {
        "facility": "visibility.facility_id",
        "agency": "visibility.shares.recipient",
        "employer": "visibility.shares.recipient",
        "regency": "visibility.regency_code",
    }

    async def list_after(self, last_id: str, limit: int) -> list[P]:
        """Return the rows after this id that the caller may see, by id."""
        return await self.find({"_id": {"$gt": last_id}}, sort=[("_id", 1)], limit=limit)

    def narrowing(self) -> Filter | None:
        """Return the consent filter of an outside reader, and no filter for an officer.

        None (nothing is seen) for a caller that is neither.
        """
        caller = self.tx.caller
        if not rules.is_outside(caller):
            return {} if caller.claim("facility") else None
        reader = rules.reader_of(caller)
        if reader is None or not rules.opens(reader.purpose, self.subject):
            return None
        return reader_filter(reader, self.tx.now)

    def admits(self, aggregate: P) -> bool:
        """Return whether `narrowing` admits this row."""
        caller = self.tx.caller
        if not rules.is_outside(caller):
            return bool(caller.claim("facility"))
        reader = rules.reader_of(caller)
        if reader is None or not rules.opens(reader.purpose, self.subject):
            return False
        return rules.share_for(aggregate.visibility, reader, self.tx.now) is not None


class OfficeRows(Store[A]):
    """Rows without a person.

    The roles of `INSIDE_ROLES` see all of them, outside readers what `filter_for_reader` gives,
    any other caller nothing.
    """

    scope = {"public": ""}

    def narrowing(self) -> Filter | None:
        """Return the filter of the caller's role; None = nothing is seen."""
        caller = self.tx.caller
        if caller.role in INSIDE_ROLES:
            return {}
        reader = rules.reader_of(caller)
        return None if reader is None else self.filter_for_reader(reader)

    def admits(self, aggregate: A) -> bool:
        """Return whether `narrowing` admits this row."""
        caller = self.tx.caller
        if caller.role in INSIDE_ROLES:
            return True
        reader = rules.reader_of(caller)
        return reader is not None and self.is_shown_to(aggregate, reader)

    def filter_for_reader(self, reader: Reader) -> Filter | None:
        """Return the filter of an outside reader: None (nothing is seen) unless overridden."""
        del reader
        return None

    def is_shown_to(self, aggregate: A, reader: Reader) -> bool:
        """Return whether `filter_for_reader` admits this row."""
        del aggregate, reader
        return False


class OwnedRows(OfficeRows[W]):
    """Rows without a person that a facility owns: reading is shared, changing is the owner's."""

    async def get_own(self, id_: str, *, if_match: int | None = None) -> W:
        """Return a row that the caller may change.

        Raises `unknown`, also for a row that the caller may only read, and VersionDiffers if its
        version is not `if_match`.
        """
        row = await self.get(id_)
        if not rules.may_change(self.tx.caller, row.owner):
            raise self.unknown
        return await self.get(id_, if_match=if_match)


def reader_filter(reader: Reader, now: datetime, column: Column | None = None) -> dict[str, Any]:
    """Return the filter of the rows that this outside reader sees at this moment.

    With a column: of the rows in which the reader sees that column.
    """
    share_in_force: dict[str, Any] = {
        "recipient": {"$in": sorted(reader.recipients)},
        "purpose": reader.purpose.value,
        "given_at": {"$lte": now},
        "expires_at": {"$gt": now},
    }
    if column is not None and column not in rules.OWN_COLUMNS.get(reader.purpose, frozenset()):
        share_in_force["fields"] = column.value
    where: dict[str, Any] = {"visibility.shares": {"$elemMatch": share_in_force}}
    if reader.regencies is not None:
        where["visibility.regency_code"] = {"$in": sorted(reader.regencies)}
    return where
