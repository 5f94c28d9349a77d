"""What happens to orders: what was agreed is held against what the gateway was told."""

from __future__ import annotations

from services.manpower.grants import rules
from services.manpower.grants.rules import GrantOrder
from services.manpower.transaction import Transaction


async def reconcile_orders(tx: Transaction) -> None:
    """Order what was agreed and stands now, take back what does not."""
    consumers = await tx.consumers.list_active()
    agencies = await tx.agencies.many({consumer.agency_id for consumer in consumers}, scoped=False)
    wanted = rules.derive_wanted_orders(consumers, agencies, tx.now)
    live = {order.id: order for order in await tx.grant_orders.list_live()}
    missing = wanted.keys() - live.keys()
    over = await tx.grant_orders.many(missing, scoped=False)
    for id_ in sorted(missing - over.keys()):
        tx.grant_orders.add(wanted[id_], scoped=False)
    for id_, order in sorted(live.items()):
        after = rules.retry_refused(order, tx.now) if id_ in wanted else rules.withdraw(order)
        if after != order:
            tx.grant_orders.save(order, after)


async def list_due_orders(limit: int, tx: Transaction) -> list[GrantOrder]:
    """Orders of which the gateway is to be told."""
    return await tx.grant_orders.list_due(limit)


async def record_answer(sent: GrantOrder, refusal: str, tx: Transaction) -> None:
    """The gateway answered to this order; where it changed meanwhile, the gateway is told again."""
    order = await tx.grant_orders.get(sent.id, scoped=False)
    if order.version == sent.version:
        tx.grant_orders.save(order, rules.record_answer(order, refusal, tx.now))
