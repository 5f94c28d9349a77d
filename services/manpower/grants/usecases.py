"""What happens: what was agreed is held against what the gateway was told, and it is told the difference until it has answered.

Each step may be done again: the gateway knows a grant by our reference, and an order stands before it is asked for the first time.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from chassis.peers import Peer, PeerRefused
from chassis.runner import Runner
from services.manpower.grants import rules
from services.manpower.grants.rules import Order, State
from services.manpower.transaction import Transaction

GRANTING = "granting"
_AT_ONCE = 50
_OF_THE_ORDER = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY})


async def make_so(gateway: Peer, run: Runner[Transaction]) -> bool:
    """The job: one round. While the gateway is away (PeerAway) the orders wait."""
    await run(settle)
    due = await run(_due)
    for order in due:
        refusal = await _tell(gateway, order)
        await run(partial(_answered, order, refusal))
    return len(due) == _AT_ONCE


async def settle(tx: Transaction) -> None:
    """Order what was agreed and stands now, take back what does not."""
    consumers = await tx.consumers.active()
    agencies = await tx.agencies.many({consumer.agency_id for consumer in consumers}, scoped=False)
    wanted = rules.wanted(consumers, agencies, tx.now)
    live = {order.id: order for order in await tx.grant_orders.live()}
    missing = wanted.keys() - live.keys()
    over = await tx.grant_orders.many(missing, scoped=False)
    for id_ in sorted(missing - over.keys()):
        tx.grant_orders.add(wanted[id_], scoped=False)
    for id_, order in sorted(live.items()):
        after = rules.again(order, tx.now) if id_ in wanted else rules.unwanted(order)
        if after != order:
            tx.grant_orders.save(order, after)


async def _due(tx: Transaction) -> list[Order]:
    return await tx.grant_orders.due(_AT_ONCE)


async def _answered(asked: Order, refusal: str, tx: Transaction) -> None:
    order = await tx.grant_orders.get(asked.id, scoped=False)
    if order.version == asked.version:  # else it changed meanwhile, and the gateway is told again
        tx.grant_orders.save(order, rules.told(order, refusal, tx.now))


async def _tell(gateway: Peer, order: Order) -> str:
    """Tell the gateway; the problem code of its refusal, "" where it did as told."""
    path = f"/internal/grants/{order.id}"
    try:
        if order.state is State.UNWANTED:
            await gateway.ask("DELETE", path, purpose="manage-access", on_behalf_of="")
        else:
            terms = {"role": order.role, "claims": order.claims, "valid_from": order.valid_from.isoformat(), "valid_until": order.valid_until.isoformat()}
            await gateway.ask("PUT", path, purpose="manage-access", on_behalf_of="", body={"user_id": order.user_id} | terms)
    except PeerRefused as error:
        status = error.facts["peer_status"]
        if order.state is State.UNWANTED and status == HTTPStatus.NOT_FOUND:
            return ""  # it was never asked for
        if order.state is State.UNWANTED or status not in _OF_THE_ORDER:
            raise
        return str(error.facts["peer_code"])
    return ""
