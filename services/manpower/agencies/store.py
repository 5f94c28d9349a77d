"""Stores of agencies and of the routing table. Not here: who may change them (rules)."""

from __future__ import annotations

from typing import Any

from chassis.persistence.mongo import Filter
from chassis.persistence.store import Index, Page
from services.manpower.agencies import routing_table, rules
from services.manpower.agencies.routing_table import AgencyRoute, Topic
from services.manpower.agencies.rules import Agency, AgencyKind
from services.manpower.visibility.rules import Purpose, Reader
from services.manpower.visibility.store import OfficeRows, OwnedRows


class Agencies(OwnedRows[Agency]):
    """Agencies. Outside readers see their own agency.

    The office that registers job seekers also sees the employers of its regencies: it verifies
    them.
    """

    kind = Agency
    collection = "agencies"
    unknown = rules.AgencyUnknown
    indexes = (
        Index("kind", "name_key", unique=True),
        Index("nib", unique=True, where={"nib": {"$type": "string"}}),
    )
    secret = frozenset({"contacts"})
    schema = 3

    async def find_by_name(self, kind: AgencyKind, name_key: str, nib: str | None) -> Agency | None:
        """Return the agency that has this name or NIB; names are unique over all scopes."""
        same: list[dict[str, Any]] = [{"kind": kind.value, "name_key": name_key}]
        if nib:
            same.append({"nib": nib})
        return await self.first({"$or": same}, scoped=False)

    async def list_page(
        self, kind: AgencyKind | None, cursor: str | None, limit: int
    ) -> Page[Agency]:
        """Return one page of the agencies that the caller may see, of one kind or all, by id."""
        where = {} if kind is None else {"kind": kind.value}
        return await self.page(where, cursor=cursor, limit=limit)

    def filter_for_reader(self, reader: Reader) -> Filter | None:
        own: dict[str, Any] = {"_id": {"$in": sorted(reader.recipients)}}
        if not _verifies_employers(reader):
            return own
        employers = {
            "kind": AgencyKind.EMPLOYER_PARTNER.value,
            "regency_codes": {"$in": sorted(reader.regencies or ())},
        }
        return {"$or": [own, employers]}

    def is_shown_to(self, aggregate: Agency, reader: Reader) -> bool:
        if aggregate.id in reader.recipients:
            return True
        if not _verifies_employers(reader):
            return False
        if aggregate.kind is not AgencyKind.EMPLOYER_PARTNER:
            return False
        return not aggregate.regency_codes.isdisjoint(reader.regencies or frozenset())


class AgencyRoutes(OfficeRows[AgencyRoute]):
    """The routing table. Outside readers see nothing of it."""

    kind = AgencyRoute
    collection = "agency_routes"
    unknown = rules.AgencyUnknown
    indexes = (Index("regency_code", "topic", unique=True),)

    async def find_route(self, regency_code: str, topic: Topic) -> AgencyRoute | None:
        """Return the row of this topic in this regency, for any caller."""
        return await self.seek(routing_table.route_id(regency_code, topic), scoped=False)


def _verifies_employers(reader: Reader) -> bool:
    return reader.purpose is Purpose.DINAS_REGISTRATION
