"""Use cases of grant orders: compare them with the agreed grants, record the answers.

Not here: sending them (jobs).
"""

from __future__ import annotations

from services.manpower.grants import rules
from services.manpower.grants.rules import GrantOrder
from services.manpower.transaction import Transaction


async def reconcile_orders(tx: Transaction) -> None:
    """Add the orders that must exist now, withdraw those that must not."""
    consumers = await tx.consumers.list_active()
    agency_ids = {consumer.agency_id for consumer in consumers}
    agencies = await tx.agencies.many(agency_ids, scoped=False)
    by_id = {consumer.id: consumer for consumer in consumers}
    credentials = await tx.credentials.list_attached_of(by_id)
    wanted = rules.derive_wanted_orders(by_id, agencies, credentials, tx.now)
    live = {order.id: order for order in await tx.grant_orders.list_live()}
    not_live = wanted.keys() - live.keys()
    ended = await tx.grant_orders.many(not_live, scoped=False)
    for order_id in sorted(not_live - ended.keys()):
        tx.grant_orders.add(wanted[order_id], scoped=False)
    for order_id, order in sorted(live.items()):
        is_wanted = order_id in wanted
        decide = rules.retry_refused if is_wanted else rules.withdraw
        after = decide(order, tx.now)
        if after != order:
            tx.grant_orders.save(order, after)


async def list_due_orders(limit: int, tx: Transaction) -> list[GrantOrder]:
    """Return orders that must be sent to the gateway."""
    return await tx.grant_orders.list_due(limit)


async def record_answer(sent: GrantOrder, refusal: str, tx: Transaction) -> None:
    """Record the gateway's answer; an order that changed meanwhile stays due."""
    order = await tx.grant_orders.get(sent.id, scoped=False)
    if order.version == sent.version:
        tx.grant_orders.save(order, rules.record_answer(order, refusal, tx.now))
