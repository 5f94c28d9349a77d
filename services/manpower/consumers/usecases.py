"""Use cases of consumers: request, approve, suspend, resume, close."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.persistence.store import Page
from services.manpower.agencies.rules import Status
from services.manpower.consumers import rules
from services.manpower.consumers.rules import Consumer
from services.manpower.transaction import Transaction


@dataclass(frozen=True, slots=True)
class RefusedGrant:
    """A grant that the gateway refused to hold, with the code of its reason."""

    credential_ref: str
    role: str
    refusal: str


@dataclass(frozen=True, slots=True)
class ConsumerView:
    """A consumer, and its grants that the gateway refused."""

    consumer: Consumer
    refused: list[RefusedGrant]


async def request_consumer(consumer: Consumer, tx: Transaction) -> Consumer:
    """Add a consumer of an agency of the caller's; it waits for approval.

    Raises AgencyUnknown, AgencyNotActive, GrantRefused.
    """
    agency = await tx.agencies.get_own(consumer.agency_id)
    tx.agencies.hold(agency)
    return tx.consumers.add(rules.request(consumer, agency, tx.caller.actor, tx.now))


async def list_consumers(
    agency_id: str | None, cursor: str | None, limit: int, tx: Transaction
) -> Page[Consumer]:
    """Return one page of the consumers, of one agency or all."""
    return await tx.consumers.list_page(agency_id, cursor, limit)


async def show_consumer(consumer_id: str, tx: Transaction) -> ConsumerView:
    """Return one consumer and the grants that the gateway refused. Raises ConsumerUnknown."""
    consumer = await tx.consumers.get(consumer_id)
    orders = await tx.grant_orders.list_refused(consumer_id)
    refused = [RefusedGrant(order.user_id, order.role, order.refusal) for order in orders]
    return ConsumerView(consumer, refused)


async def change_consumer_status(
    consumer_id: str, to: Status, reason: str, version: int, tx: Transaction
) -> Consumer:
    """Change the status of a consumer.

    A suspended consumer is refused from its next request on; changes are still written to its feed.
    Raises ConsumerUnknown, VersionDiffers, ConsumerMoveRefused, ApprovedByRequester.
    """
    before = await tx.consumers.get_own(consumer_id, if_match=version)
    after = rules.change_status(before, to, tx.caller.actor, tx.now, reason)
    return tx.consumers.save(before, after)
