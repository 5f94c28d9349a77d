"""What is allowed: which grants the gateway is to hold for the systems and officers of agencies, and how far it was told.

A consumer that is active, of an agency that is active, has for each of its credentials each grant that was agreed and is not over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chassis.errors import NotFound
from chassis.ids import named_id
from services.manpower.agencies.rules import Agency, Status, StatusChange
from services.manpower.consumers.rules import Consumer
from services.manpower.visibility.rules import OUTSIDE_ROLES

RETRY_REFUSED_AFTER = timedelta(minutes=10)


class GrantOrderUnknown(NotFound):
    """No such order."""

    code = "order_unknown"


class GrantOrderState(StrEnum):
    """How far the gateway was told."""

    WANTED = "wanted"
    HELD = "held"
    REFUSED = "refused"  # by the gateway: most often it has no such user
    UNWANTED = "unwanted"
    GONE = "gone"


DUE_STATES = frozenset({GrantOrderState.WANTED, GrantOrderState.UNWANTED})
LIVE_STATES = DUE_STATES | {GrantOrderState.HELD, GrantOrderState.REFUSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantOrder:
    """One grant as the gateway is to hold it for the user `user_id` of its own; `id` is the reference by which it knows the grant."""

    id: str
    version: int = 0
    consumer_id: str
    agency_id: str
    user_id: str
    role: str
    claims: dict[str, tuple[str, ...]]
    valid_from: datetime
    valid_until: datetime
    state: GrantOrderState = GrantOrderState.WANTED
    refusal: str = ""
    refused_at: datetime | None = None


def derive_wanted_orders(
    consumers: Iterable[Consumer], agencies: Mapping[str, Agency], now: datetime
) -> dict[str, GrantOrder]:
    """All orders that should stand now, by reference. After each suspension they are others: the gateway takes back no grant that has ended."""
    found: dict[str, GrantOrder] = {}
    for consumer in consumers:
        agency = agencies.get(consumer.agency_id)
        if agency is None or not agency.is_active or consumer.status is not Status.ACTIVE:
            continue
        turn = f"{_count_activations(consumer.history)}.{_count_activations(agency.history)}"
        for number, grant in enumerate(consumer.grants):
            for credential in sorted(consumer.credential_refs) if now < grant.valid_until else ():
                outside = OUTSIDE_ROLES.get(grant.role)
                claims: dict[str, tuple[str, ...]] = {
                    outside.recipient_claim if outside else "agency": (agency.id,)
                }
                if outside and outside.is_bound_to_regency:
                    claims["regency"] = tuple(sorted(grant.regency_codes))
                order = GrantOrder(
                    id=named_id("grant", consumer.id, str(number), turn, credential),
                    consumer_id=consumer.id,
                    agency_id=agency.id,
                    user_id=credential,
                    role=grant.role,
                    claims=claims,
                    valid_from=grant.valid_from,
                    valid_until=grant.valid_until,
                )
                found[order.id] = order
    return found


def withdraw(order: GrantOrder) -> GrantOrder:
    """The order taken back; what the gateway refused it need not be told."""
    return replace(
        order,
        state=GrantOrderState.GONE
        if order.state is GrantOrderState.REFUSED
        else GrantOrderState.UNWANTED,
    )


def record_answer(order: GrantOrder, refusal: str, now: datetime) -> GrantOrder:
    """The order after the gateway answered, with the code of its refusal or ""."""
    if order.state is GrantOrderState.UNWANTED:
        return replace(order, state=GrantOrderState.GONE)
    return replace(
        order,
        state=GrantOrderState.REFUSED if refusal else GrantOrderState.HELD,
        refusal=refusal,
        refused_at=now if refusal else None,
    )


def retry_refused(order: GrantOrder, now: datetime) -> GrantOrder:
    """A refused order asked for once more after a while: the user may have come to be."""
    due = order.refused_at is not None and now >= order.refused_at + RETRY_REFUSED_AFTER
    return (
        replace(order, state=GrantOrderState.WANTED)
        if order.state is GrantOrderState.REFUSED and due
        else order
    )


def _count_activations(history: Iterable[StatusChange]) -> int:
    return sum(change.to is Status.ACTIVE for change in history)
