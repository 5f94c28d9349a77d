"""What happens: consumers are asked for, approved by a second person, suspended and resumed; and each outside read is admitted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.manpower.agencies.rules import Status
from services.manpower.consumers import rules
from services.manpower.consumers.rules import Consumer
from services.manpower.transaction import Transaction
from services.manpower.visibility.rules import reader_of

R = TypeVar("R")


async def request_consumer(consumer: Consumer, tx: Transaction) -> Consumer:
    """A new consumer, pending; its grants must fit its agency."""
    agency = await tx.agencies.get(consumer.agency_id)
    tx.agencies.hold(agency)
    return tx.consumers.add(rules.request(consumer, agency, tx.caller.actor, tx.now))


async def change_consumer_status(
    consumer_id: str, to: Status, reason: str, tx: Transaction, *, if_match: int | None = None
) -> Consumer:
    """The consumer at its next status. Suspended, it reads nothing from its next request on, and loses nothing either."""
    before = await tx.consumers.get(consumer_id, if_match=if_match)
    return tx.consumers.save(
        before, rules.change_status(before, to, tx.caller.actor, tx.now, reason)
    )


async def attach_credential(
    consumer_id: str, credential_ref: str, tx: Transaction, *, if_match: int | None = None
) -> Consumer:
    """The consumer with one more credential of the gateway's."""
    before = await tx.consumers.get(consumer_id, if_match=if_match)
    return tx.consumers.save(before, rules.attach_credential(before, credential_ref))


def with_access_check(
    use_case: Callable[[Transaction], Awaitable[R]],
) -> Callable[[Transaction], Awaitable[R]]:
    """The use case behind the kill switch: an outside caller must belong to no agency and no consumer that is not active."""

    async def behind_the_switch(tx: Transaction) -> R:
        reader = reader_of(tx.caller)
        if reader is not None:
            rules.require_not_suspended(await tx.consumers.list_by_credential(tx.caller.subject))
            rules.require_not_suspended(
                (await tx.agencies.many(reader.recipients, scoped=False)).values()
            )
        return await use_case(tx)

    behind_the_switch.__name__ = getattr(getattr(use_case, "func", use_case), "__name__", "")
    return behind_the_switch
