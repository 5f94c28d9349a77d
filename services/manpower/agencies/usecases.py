"""Use cases of agencies and the routing table, and the access check of outside readers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from chassis.persistence.store import Page
from chassis.persistence.transactions import name_of
from services.manpower.agencies import rules
from services.manpower.agencies.rules import Agency, AgencyKind, AgencyRoute, Status, Topic
from services.manpower.transaction import Transaction
from services.manpower.visibility.rules import is_outside, reader_of

R = TypeVar("R")
UseCase = Callable[[Transaction], Awaitable[R]]


def with_access_check(use_case: UseCase[R]) -> UseCase[R]:
    """Return the use case with a check before it: the kill switch of consumers and agencies.

    Raises ConsumerSuspended when an outside caller belongs to one that is not active.
    """

    async def checked_use_case(tx: Transaction) -> R:
        reader = reader_of(tx.caller)
        if reader is not None:
            consumers = await tx.consumers.list_by_credential(tx.caller.subject)
            rules.require_not_suspended(consumers)
            agencies = await tx.agencies.many(reader.recipients, scoped=False)
            rules.require_not_suspended(agencies.values())
        return await use_case(tx)

    checked_use_case.__name__ = name_of(use_case)
    return checked_use_case


async def register_agency(agency: Agency, tx: Transaction) -> Agency:
    """Add an agency that waits for approval. Raises NotYourAgency, AgencyNameTaken, NibMissing."""
    rules.require_agency_authority(agency, is_outside=is_outside(tx.caller))
    rules.require_in_scope(is_in_scope=tx.agencies.admits(agency))
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


async def change_agency_status(
    agency_id: str, to: Status, reason: str, version: int, tx: Transaction
) -> Agency:
    """Change the status of an agency.

    Raises AgencyUnknown, VersionDiffers, NotYourAgency, AgencyMoveRefused, ApprovedByRequester.
    """
    before = await tx.agencies.get(agency_id, if_match=version)
    rules.require_agency_authority(before, is_outside=is_outside(tx.caller))
    after = rules.change_status(before, to, tx.caller.actor, tx.now, reason)
    return tx.agencies.save(before, after)


async def list_routes(cursor: str | None, limit: int, tx: Transaction) -> Page[AgencyRoute]:
    """Return one page of the routing table."""
    return await tx.agency_routes.page({}, cursor=cursor, limit=limit)


async def assign_route(
    regency_code: str, topic: Topic, agency_id: str, version: int | None, tx: Transaction
) -> AgencyRoute:
    """Name the active agency that answers for a topic in a regency.

    `version` is that of the row if there is one. Raises VersionRequired, VersionDiffers,
    AgencyUnknown, AgencyNotActive, RegencyNotServed.
    """
    agency = await tx.agencies.get(agency_id)
    tx.agencies.hold(agency)
    row_id = rules.route_id(regency_code, topic)
    if await tx.agency_routes.seek(row_id) is None:
        first = rules.assign_route(None, regency_code, topic, agency, tx.now)
        return tx.agency_routes.add(first)
    before = await tx.agency_routes.get(row_id, if_match=rules.require_version(version))
    after = rules.assign_route(before, regency_code, topic, agency, tx.now)
    return tx.agency_routes.save(before, after)


async def find_responsible_agency_id(regency_code: str, topic: Topic, tx: Transaction) -> str:
    """Return the agency that answers for this topic in this regency. Raises RouteMissing."""
    route = await tx.agency_routes.find_route(regency_code, topic)
    return rules.require_route(route, regency_code, topic).agency_id
