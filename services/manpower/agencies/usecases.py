"""Use cases of agencies and the routing table, and the access check of outside readers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from chassis.persistence.store import Page
from chassis.persistence.transactions import name_of
from services.manpower.agencies import routing_table, rules
from services.manpower.agencies.routing_table import AgencyRoute, Topic
from services.manpower.agencies.rules import Agency, AgencyKind, Status
from services.manpower.transaction import Transaction
from services.manpower.visibility.rules import (
    is_of_all_facilities,
    is_outside,
    owner_for,
    reader_of,
)

R = TypeVar("R")
UseCase = Callable[[Transaction], Awaitable[R]]


def with_access_check(use_case: UseCase[R]) -> UseCase[R]:
    """Return the use case with a check before it: the kill switch of consumers and agencies.

    Raises ConsumerSuspended when an outside caller belongs to one that is not active.
    """

    async def checked_use_case(tx: Transaction) -> R:
        reader = reader_of(tx.caller)
        if reader is not None:
            credentials = await tx.credentials.list_attached(tx.caller.subject)
            consumer_ids = {credential.consumer_id for credential in credentials}
            consumers = await tx.consumers.many(consumer_ids, scoped=False)
            rules.require_not_suspended(consumers.values())
            agencies = await tx.agencies.many(reader.recipients, scoped=False)
            rules.require_not_suspended(agencies.values())
        return await use_case(tx)

    checked_use_case.__name__ = name_of(use_case)
    return checked_use_case


async def register_agency(agency: Agency, tx: Transaction) -> Agency:
    """Add an agency that waits for approval; it belongs to the caller's facility.

    Raises NotYourAgency, FacilitiesRefused, AgencyNameTaken, NibMissing, KanwilFromAbove.
    """
    agency = replace(agency, owner=owner_for(tx.caller))
    rules.require_agency_authority(agency, is_outside=is_outside(tx.caller))
    rules.require_in_scope(is_in_scope=tx.agencies.admits(agency))
    are_own = all(tx.caller.sees("facility", id_) for id_ in agency.facility_ids)
    rules.require_own_facilities(are_own=are_own)
    namesake = await tx.agencies.find_by_name(agency.kind, agency.name_key, agency.nib)
    rules.require_free_name(namesake)
    rules.require_free_name(await tx.agencies.seek(agency.id, scoped=False))
    return tx.agencies.add(rules.register(agency, tx.caller.actor, tx.now))


async def list_agencies(
    kind: AgencyKind | None, cursor: str | None, limit: int, tx: Transaction
) -> Page[Agency]:
    """Return one page of the agencies that the caller may see."""
    return await tx.agencies.list_page(kind, cursor, limit)


async def show_agency(agency_id: str, tx: Transaction) -> Agency:
    """Return one agency. Raises AgencyUnknown."""
    return await tx.agencies.get(agency_id)


async def approve_agency(agency_id: str, version: int, tx: Transaction) -> Agency:
    """Agree as the second person to a registration, a suspension or a closure.

    Raises AgencyUnknown, VersionDiffers, NotYourAgency, AgencyMoveRefused, ApprovedByRequester.
    """
    before = await _get_to_change(agency_id, version, tx)
    return tx.agencies.save(before, rules.approve(before, tx.caller.actor, tx.now))


async def restrict_agency(
    agency_id: str, to: Status, reason: str, version: int, tx: Transaction
) -> Agency:
    """Suspend or close an agency, or propose it to a second person.

    Raises AgencyUnknown, VersionDiffers, NotYourAgency, AgencyMoveRefused.
    """
    before = await _get_to_change(agency_id, version, tx)
    is_from_above = is_of_all_facilities(tx.caller)
    after = rules.restrict(before, to, tx.caller.actor, tx.now, reason, is_from_above=is_from_above)
    return tx.agencies.save(before, after)


async def resume_agency(agency_id: str, version: int, tx: Transaction) -> Agency:
    """End a suspension, or drop the proposal of one.

    Raises AgencyUnknown, VersionDiffers, NotYourAgency, AgencyMoveRefused.
    """
    before = await _get_to_change(agency_id, version, tx)
    return tx.agencies.save(before, rules.resume(before, tx.caller.actor, tx.now))


async def list_routes(cursor: str | None, limit: int, tx: Transaction) -> Page[AgencyRoute]:
    """Return one page of the routing table."""
    return await tx.agency_routes.page({}, cursor=cursor, limit=limit)


async def assign_route(
    regency_code: str, topic: Topic, agency_id: str, version: int | None, tx: Transaction
) -> AgencyRoute:
    """Name the active agency that answers for a topic in a regency.

    The row belongs to the owner of the agency that answers: the caller must own both agencies.
    `version` is that of the row if there is one. Raises VersionRequired, VersionDiffers,
    AgencyUnknown, AgencyNotActive, RegencyNotServed.
    """
    agency = await tx.agencies.get_own(agency_id)
    tx.agencies.hold(agency)
    row_id = routing_table.route_id(regency_code, topic)
    if await tx.agency_routes.seek(row_id) is None:
        first = routing_table.assign_route(None, regency_code, topic, agency, tx.now)
        return tx.agency_routes.add(first)
    before = await tx.agency_routes.get(row_id, if_match=routing_table.require_version(version))
    await tx.agencies.get_own(before.agency_id)
    after = routing_table.assign_route(before, regency_code, topic, agency, tx.now)
    return tx.agency_routes.save(before, after)


async def find_responsible_agency_id(regency_code: str, topic: Topic, tx: Transaction) -> str:
    """Return the agency that answers for this topic in this regency. Raises RouteMissing."""
    route = await tx.agency_routes.find_route(regency_code, topic)
    return routing_table.require_route(route, regency_code, topic).agency_id


async def _get_to_change(agency_id: str, version: int, tx: Transaction) -> Agency:
    agency = await tx.agencies.get_own(agency_id, if_match=version)
    rules.require_agency_authority(agency, is_outside=is_outside(tx.caller))
    return agency
