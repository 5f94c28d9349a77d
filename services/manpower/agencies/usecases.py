"""What happens: agencies are registered, approved by a second person, and named in the routing table."""

from __future__ import annotations

from services.manpower.agencies import rules
from services.manpower.agencies.rules import (
    Agency,
    AgencyNameTaken,
    AgencyRoute,
    NotYourAgency,
    RouteMissing,
    Status,
    Topic,
)
from services.manpower.transaction import Transaction
from services.manpower.visibility.rules import is_outside


async def register_agency(agency: Agency, tx: Transaction) -> Agency:
    """A new agency, pending. AgencyNameTaken when the name, NIB or id is another's."""
    rules.require_agency_authority(agency, is_outside=is_outside(tx.caller))
    if not tx.agencies.admits(agency):
        raise NotYourAgency
    if await tx.agencies.find_by_name(
        agency.kind, agency.name_key, agency.nib
    ) or await tx.agencies.seek(agency.id, scoped=False):
        raise AgencyNameTaken
    return tx.agencies.add(rules.register(agency, tx.caller.actor, tx.now))


async def change_agency_status(
    agency_id: str, to: Status, reason: str, tx: Transaction, *, if_match: int | None = None
) -> Agency:
    """The agency at its next status."""
    before = await tx.agencies.get(agency_id, if_match=if_match)
    rules.require_agency_authority(before, is_outside=is_outside(tx.caller))
    return tx.agencies.save(
        before, rules.change_status(before, to, tx.caller.actor, tx.now, reason)
    )


async def assign_route(
    regency_code: str, topic: Topic, agency_id: str, tx: Transaction, *, if_match: int | None = None
) -> AgencyRoute:
    """The routing table's row that sends a topic of a regency to an active agency."""
    agency = await tx.agencies.get(agency_id)
    tx.agencies.hold(agency)
    before = await tx.agency_routes.seek(rules.route_id(regency_code, topic))
    if before is None:
        return tx.agency_routes.add(rules.assign_route(None, regency_code, topic, agency, tx.now))
    if if_match is not None:
        before = await tx.agency_routes.get(before.id, if_match=if_match)
    return tx.agency_routes.save(
        before, rules.assign_route(before, regency_code, topic, agency, tx.now)
    )


async def find_responsible_agency_id(regency_code: str, topic: Topic, tx: Transaction) -> str:
    """Who answers for this topic in this regency; RouteMissing when nobody does."""
    route = await tx.agency_routes.find_route(regency_code, topic)
    if route is None:
        raise RouteMissing(regency_code=regency_code, topic=topic.value)
    return route.agency_id
