"""How agencies and the routing table are kept."""

from __future__ import annotations

from typing import Any

from chassis.persistence.mongo import Filter
from chassis.persistence.store import Index, Page
from services.manpower.agencies import rules
from services.manpower.agencies.rules import Agency, AgencyKind, AgencyRoute, Topic
from services.manpower.visibility.rules import Purpose, Reader
from services.manpower.visibility.store import OfficeRows


class Agencies(OfficeRows[Agency]):
    """Outside readers see their own agency; the office that places people also the employers of its regencies, whom it verifies."""

    kind = Agency
    collection = "agencies"
    unknown = rules.AgencyUnknown
    indexes = (
        Index("kind", "name_key", unique=True),
        Index("nib", unique=True, where={"nib": {"$type": "string"}}),
    )
    secret = frozenset({"contacts"})
    schema = 2

    async def find_by_name(self, kind: AgencyKind, name_key: str, nib: str | None) -> Agency | None:
        """The agency that has this name or business number, whoever asks: names are unique over all scopes."""
        same: list[dict[str, Any]] = [
            {"kind": kind.value, "name_key": name_key},
            *([{"nib": nib}] if nib else []),
        ]
        return await self.first({"$or": same}, scoped=False)

    async def list_page(
        self, kind: AgencyKind | None, cursor: str | None, limit: int
    ) -> Page[Agency]:
        """Agencies by id."""
        return await self.page(
            {} if kind is None else {"kind": kind.value}, cursor=cursor, limit=limit
        )

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
        employer_here = aggregate.kind is AgencyKind.EMPLOYER_PARTNER and bool(
            aggregate.regency_codes & (reader.regencies or frozenset())
        )
        return aggregate.id in reader.recipients or (_verifies_employers(reader) and employer_here)


class AgencyRoutes(OfficeRows[AgencyRoute]):
    """The routing table; outside readers have no part in it."""

    kind = AgencyRoute
    collection = "agency_routes"
    unknown = rules.AgencyUnknown
    indexes = (Index("regency_code", "topic", unique=True),)

    async def find_route(self, regency_code: str, topic: Topic) -> AgencyRoute | None:
        """Who answers for this topic in this regency."""
        return await self.seek(rules.route_id(regency_code, topic), scoped=False)


def _verifies_employers(reader: Reader) -> bool:
    return reader.purpose is Purpose.DINAS_REGISTRATION
