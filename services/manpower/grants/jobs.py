"""The leased job that tells the gateway which grants to hold. Not here: which they are (rules), what is ordered (usecases).

A round may be done again: the gateway knows a grant by our reference, and an order stands before it is asked for the first time.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from chassis.http.service_client import ServiceClient, ServiceRefused
from chassis.persistence.transactions import Runner
from services.manpower.grants import usecases
from services.manpower.grants.rules import GrantOrder, GrantOrderState
from services.manpower.transaction import Transaction

GRANTING_JOB = "granting"
_BATCH_SIZE = 50
_PERMANENT_REFUSALS = frozenset(
    {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}
)


async def apply_grant_orders(gateway: ServiceClient, run: Runner[Transaction]) -> bool:
    """One round. While the gateway is away (ServiceUnavailable) the orders wait."""
    await run(usecases.reconcile_orders)
    due = await run(partial(usecases.list_due_orders, _BATCH_SIZE))
    for order in due:
        refusal = await _send_order(gateway, order)
        await run(partial(usecases.record_answer, order, refusal))
    return len(due) == _BATCH_SIZE


async def _send_order(gateway: ServiceClient, order: GrantOrder) -> str:
    """Tell the gateway; the problem code of its refusal, "" where it did as told."""
    path = f"/internal/grants/{order.id}"
    try:
        if order.state is GrantOrderState.UNWANTED:
            await gateway.request("DELETE", path, purpose="manage-access", on_behalf_of="")
        else:
            terms = {
                "role": order.role,
                "claims": order.claims,
                "valid_from": order.valid_from.isoformat(),
                "valid_until": order.valid_until.isoformat(),
            }
            await gateway.request(
                "PUT",
                path,
                purpose="manage-access",
                on_behalf_of="",
                body={"user_id": order.user_id} | terms,
            )
    except ServiceRefused as error:
        status = error.facts["peer_status"]
        if order.state is GrantOrderState.UNWANTED and status == HTTPStatus.NOT_FOUND:
            return ""  # it was never asked for
        if order.state is GrantOrderState.UNWANTED or status not in _PERMANENT_REFUSALS:
            raise
        return str(error.facts["peer_code"])
    return ""
