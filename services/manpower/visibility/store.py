"""How visibility is asked of MongoDB: the same rule as `share_for`, compiled into every query on rows about a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol, TypeVar

from chassis.persistence.mongo import Filter
from chassis.persistence.store import Aggregate, Store
from services.manpower.visibility import rules
from services.manpower.visibility.rules import Reader, Visibility

INSIDE_ROLES = frozenset({"administrator", "auditor", "case_officer", "head", "training_officer"})
"""Roles of the prison and of this system that may know of offices, employers and vacancies; `kanwil` reads aggregates only."""


class PersonRow(Aggregate, Protocol):
    """A row about a person."""

    @property
    def visibility(self) -> Visibility: ...


P = TypeVar("P", bound=PersonRow)
A = TypeVar("A", bound=Aggregate)


class PersonRows(Store[P]):
    """Rows about a person: officers see those of their facility, outside readers those with a consent for them in force now."""

    scope = {
        "facility": "visibility.facility_id",
        "agency": "visibility.shares.recipient",
        "employer": "visibility.shares.recipient",
        "regency": "visibility.regency_code",
    }

    async def list_after(self, last: str, limit: int) -> list[P]:
        """The rows that the caller may see with an id beyond `last`, by id."""
        return await self.find({"_id": {"$gt": last}}, sort=[("_id", 1)], limit=limit)

    def narrowing(self) -> Filter | None:
        """The consent filter for outside readers; nothing for a caller that is neither outside nor of a facility."""
        caller = self.tx.caller
        if not rules.is_outside(caller):
            return {} if caller.claim("facility") else None
        reader = rules.reader_of(caller)
        return None if reader is None else reader_filter(reader, self.tx.now)

    def admits(self, aggregate: P) -> bool:
        """The same for one row."""
        caller = self.tx.caller
        if not rules.is_outside(caller):
            return bool(caller.claim("facility"))
        reader = rules.reader_of(caller)
        return (
            reader is not None
            and rules.share_for(aggregate.visibility, reader, self.tx.now) is not None
        )


class OfficeRows(Store[A]):
    """Rows without a person. The roles of INSIDE see all of them; outside readers what `of_reader` gives; anybody else nothing."""

    scope = {"public": ""}

    def narrowing(self) -> Filter | None:
        """The filter of the caller's role; None = nothing is seen."""
        caller = self.tx.caller
        if caller.role in INSIDE_ROLES:
            return {}
        reader = rules.reader_of(caller)
        return None if reader is None else self.filter_for_reader(reader)

    def admits(self, aggregate: A) -> bool:
        """The same for one row."""
        caller = self.tx.caller
        if caller.role in INSIDE_ROLES:
            return True
        reader = rules.reader_of(caller)
        return reader is not None and self.is_shown_to(aggregate, reader)

    def filter_for_reader(self, reader: Reader) -> Filter | None:
        """What an outside reader sees of these rows: nothing, unless the store says more."""
        del reader
        return None

    def is_shown_to(self, aggregate: A, reader: Reader) -> bool:
        """The same for one row."""
        del aggregate, reader
        return False


def reader_filter(reader: Reader, now: datetime) -> dict[str, Any]:
    """The filter for rows that this outside reader sees at this instant."""
    valid = {
        "recipient": {"$in": sorted(reader.recipients)},
        "purpose": reader.purpose.value,
        "given_at": {"$lte": now},
        "expires_at": {"$gt": now},
    }
    narrowed: dict[str, Any] = {"visibility.shares": {"$elemMatch": valid}}
    return (
        narrowed
        if reader.regencies is None
        else narrowed | {"visibility.regency_code": {"$in": sorted(reader.regencies)}}
    )
