"""The leased job that tells the gateway which grants to hold. Not here: which they are (rules), what is ordered (usecases).

A round may be done again: the gateway knows a grant by our reference, and an order stands before it is asked for the first time.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from chassis.http.service_client import Peer, PeerRefused
from chassis.persistence.transactions import Runner
from services.manpower.grants import usecases
from services.manpower.grants.rules import Order, State
from services.manpower.transaction import Transaction

GRANTING = "granting"
_AT_ONCE = 50
_OF_THE_ORDER = frozenset(
    {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}
)


async def make_so(gateway: Peer, run: Runner[Transaction]) -> bool:
    """One round. While the gateway is away (PeerAway) the orders wait."""
    await run(usecases.settle)
    due = await run(partial(usecases.due, _AT_ONCE))
    for order in due:
        refusal = await _tell(gateway, order)
        await run(partial(usecases.answered, order, refusal))
    return len(due) == _AT_ONCE


async def _tell(gateway: Peer, order: Order) -> str:
    """Tell the gateway; the problem code of its refusal, "" where it did as told."""
    path = f"/internal/grants/{order.id}"
    try:
        if order.state is State.UNWANTED:
            await gateway.ask("DELETE", path, purpose="manage-access", on_behalf_of="")
        else:
            terms = {
                "role": order.role,
                "claims": order.claims,
                "valid_from": order.valid_from.isoformat(),
                "valid_until": order.valid_until.isoformat(),
            }
            await gateway.ask(
                "PUT",
                path,
                purpose="manage-access",
                on_behalf_of="",
                body={"user_id": order.user_id} | terms,
            )
    except PeerRefused as error:
        status = error.facts["peer_status"]
        if order.state is State.UNWANTED and status == HTTPStatus.NOT_FOUND:
            return ""  # it was never asked for
        if order.state is State.UNWANTED or status not in _OF_THE_ORDER:
            raise
        return str(error.facts["peer_code"])
    return ""
