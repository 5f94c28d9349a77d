"""What happens to orders: what was agreed is held against what the gateway was told."""

from __future__ import annotations

from services.manpower.grants import rules
from services.manpower.grants.rules import Order
from services.manpower.transaction import Transaction


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


async def due(limit: int, tx: Transaction) -> list[Order]:
    """Orders of which the gateway is to be told."""
    return await tx.grant_orders.due(limit)


async def answered(asked: Order, refusal: str, tx: Transaction) -> None:
    """The gateway answered to this order; where it changed meanwhile, the gateway is told again."""
    order = await tx.grant_orders.get(asked.id, scoped=False)
    if order.version == asked.version:
        tx.grant_orders.save(order, rules.told(order, refusal, tx.now))
