"""The leased job that sends grant orders to the gateway.

A run may be repeated: the gateway identifies a grant by our reference, and an order is stored
before it is sent for the first time.
Not here: which orders exist (rules).
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any

from chassis.http.service_client import ServiceClient, ServiceRefused
from chassis.persistence.transactions import Runner
from services.manpower.grants import usecases
from services.manpower.grants.rules import GrantOrder, GrantOrderState
from services.manpower.transaction import Transaction

GRANTING_JOB = "granting"
_BATCH_SIZE = 50
# The gateway cannot judge the order now; any other refusal is about this order alone.
_REFUSALS_OF_THE_CALLER = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
)


async def apply_grant_orders(gateway: ServiceClient, run: Runner[Transaction]) -> bool:
    """Send due orders once; True when more may be due.

    Orders wait while the gateway is unreachable. Raises ServiceUnavailable, ServiceRefused.
    """
    await run(usecases.reconcile_orders)
    due = await run(partial(usecases.list_due_orders, _BATCH_SIZE))
    for order in due:
        refusal = await _send_order(gateway, order)
        await run(partial(usecases.record_answer, order, refusal))
    return len(due) == _BATCH_SIZE


async def _send_order(gateway: ServiceClient, order: GrantOrder) -> str:
    """Send one order. Return the code of a refusal that is about this order, "" without one."""
    try:
        if order.state is GrantOrderState.UNWANTED:
            await _request(gateway, "DELETE", order, None)
        else:
            await _request(gateway, "PUT", order, _grant_body(order))
    except ServiceRefused as error:
        status = error.facts["peer_status"]
        if status in _REFUSALS_OF_THE_CALLER:
            raise
        if order.state is GrantOrderState.UNWANTED and status == HTTPStatus.NOT_FOUND:
            return ""  # the gateway never received it
        return str(error.facts["peer_code"]) or f"refused_{status}"
    return ""


async def _request(
    gateway: ServiceClient, method: str, order: GrantOrder, body: dict[str, Any] | None
) -> None:
    await gateway.request(
        method,
        f"/internal/grants/{order.id}",
        purpose="manage-access",
        on_behalf_of="",
        body=body,
    )


def _grant_body(order: GrantOrder) -> dict[str, Any]:
    return {
        "user_id": order.user_id,
        "role": order.role,
        "claims": order.claims,
        "valid_from": order.valid_from.isoformat(),
        "valid_until": order.valid_until.isoformat(),
    }
