"""Rules of grant orders: which grants the gateway must hold for the consumers of agencies.

An active consumer of an active agency has each agreed grant that has not ended, for each of its
approved credentials, until the credential ends.
Not here: how grants are agreed (consumers), how the gateway holds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chassis.errors import NotFound
from chassis.ids import named_id
from services.manpower.agencies.rules import Agency, Status, StatusChange
from services.manpower.consumers.rules import Consumer, Grant
from services.manpower.credentials.rules import Credential
from services.manpower.visibility.rules import OUTSIDE_ROLES

RETRY_REFUSED_AFTER = timedelta(minutes=10)


class GrantOrderUnknown(NotFound):
    """No such order."""

    code = "order_unknown"


class GrantOrderState(StrEnum):
    """The state of an order at the gateway."""

    WANTED = "wanted"
    HELD = "held"
    REFUSED = "refused"
    UNWANTED = "unwanted"
    GONE = "gone"


DUE_STATES = frozenset({GrantOrderState.WANTED, GrantOrderState.UNWANTED})
LIVE_STATES = DUE_STATES | {GrantOrderState.HELD, GrantOrderState.REFUSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantOrder:
    """One grant that the gateway must hold for its user `user_id`.

    `id` is the reference by which the gateway knows the grant. The gateway refuses an order most
    often because it has no such user.
    """

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
    consumers: Mapping[str, Consumer],
    agencies: Mapping[str, Agency],
    credentials: Iterable[Credential],
    now: datetime,
) -> dict[str, GrantOrder]:
    """Return all orders that must exist now, by reference.

    Each end of a suspension gives new references: the gateway never reopens an ended grant.
    """
    orders: dict[str, GrantOrder] = {}
    for credential in credentials:
        consumer = consumers.get(credential.consumer_id)
        if consumer is None or consumer.status is not Status.ACTIVE:
            continue
        agency = agencies.get(consumer.agency_id)
        if agency is None or not agency.is_active or not credential.is_attached(now):
            continue
        for number, grant in enumerate(consumer.grants):
            order = _order_grant(consumer, agency, number, grant, credential)
            if now < order.valid_until:
                orders[order.id] = order
    return orders


def withdraw(order: GrantOrder, now: datetime) -> GrantOrder:
    """Return the order as withdrawn; a refused one after a while.

    The gateway may hold even an order that it refused: an earlier answer may have been lost.
    """
    return replace(order, state=GrantOrderState.UNWANTED) if _may_be_sent(order, now) else order


def record_answer(order: GrantOrder, refusal: str, now: datetime) -> GrantOrder:
    """Return the order after the gateway's answer: the code of its refusal, or ""."""
    if refusal:
        return replace(order, state=GrantOrderState.REFUSED, refusal=refusal, refused_at=now)
    is_withdrawn = order.state is GrantOrderState.UNWANTED
    state = GrantOrderState.GONE if is_withdrawn else GrantOrderState.HELD
    return replace(order, state=state, refusal="", refused_at=None)


def retry_refused(order: GrantOrder, now: datetime) -> GrantOrder:
    """Return a refused order as wanted again after a while: the user may exist by now."""
    if order.state is not GrantOrderState.REFUSED or not _may_be_sent(order, now):
        return order
    return replace(order, state=GrantOrderState.WANTED)


def _may_be_sent(order: GrantOrder, now: datetime) -> bool:
    if order.state is not GrantOrderState.REFUSED or order.refused_at is None:
        return True
    return now >= order.refused_at + RETRY_REFUSED_AFTER


def _order_grant(
    consumer: Consumer, agency: Agency, number: int, grant: Grant, credential: Credential
) -> GrantOrder:
    activations = f"{_count_activations(consumer.history)}.{_count_activations(agency.history)}"
    return GrantOrder(
        id=named_id("grant", consumer.id, str(number), activations, credential.id),
        consumer_id=consumer.id,
        agency_id=agency.id,
        user_id=credential.user_id,
        role=grant.role,
        claims=_claims(grant, agency),
        valid_from=grant.valid_from,
        valid_until=min(grant.valid_until, credential.valid_until),
    )


def _claims(grant: Grant, agency: Agency) -> dict[str, tuple[str, ...]]:
    outside_role = OUTSIDE_ROLES.get(grant.role)
    if outside_role is None:
        return {"agency": (agency.id,)}
    claims: dict[str, tuple[str, ...]] = {outside_role.recipient_claim: (agency.id,)}
    if outside_role.is_bound_to_regency:
        claims["regency"] = tuple(sorted(grant.regency_codes))
    return claims


def _count_activations(history: Iterable[StatusChange]) -> int:
    return sum(change.to is Status.ACTIVE for change in history)
