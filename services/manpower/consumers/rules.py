"""Rules of consumers: systems and officer groups of an agency, and the grants they request.

One person requests a consumer, another approves it. A consumer has its request, legal ground,
approval and status. Not here: its credentials (credentials), secrets and grants in use (gateway).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.caller import Actor
from chassis.errors import Conflict, NotFound, Refused
from services.manpower.agencies.rules import (
    STATUS_TRANSITIONS,
    Agency,
    AgencyKind,
    ApprovedByRequester,
    Status,
    StatusChange,
    require_active,
)
from services.manpower.settings import TEXTS
from services.manpower.visibility.rules import OUTSIDE_ROLES


class ConsumerUnknown(NotFound):
    """No such consumer for this caller."""


class ConsumerMoveRefused(Conflict):
    """The consumer's status does not allow this step."""

    title = TEXTS["errors.consumer_move_refused"]


class GrantRefused(Refused):
    """The agency cannot have this grant."""

    title = TEXTS["errors.grant_refused"]
    field = "grants"


class ConsumerKind(StrEnum):
    """The kinds of consumers: a machine, or a group of officers."""

    SYSTEM = "system"
    OFFICER_GROUP = "officer_group"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A role with its regencies for a period; the gateway holds it."""

    role: str
    regency_codes: frozenset[str]
    valid_from: datetime
    valid_until: datetime

    def is_in_force(self, now: datetime) -> bool:
        """Return whether the grant is in force at this moment."""
        return self.valid_from <= now < self.valid_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A reader on behalf of an agency; it belongs to the agency's owner.

    Its credentials are documents of their own, each with two persons (credentials).
    """

    id: str
    version: int = 0
    owner: str
    agency_id: str
    kind: ConsumerKind
    title: str
    purpose: str
    legal_basis: str
    grants: tuple[Grant, ...] = ()
    status: Status = Status.PENDING
    requested_by: str
    requested_for: str = ""
    history: tuple[StatusChange, ...] = ()


ROLES_BY_AGENCY_KIND = {
    AgencyKind.DINAS_TK: frozenset({"dinas_placement", "dinas_training", "dinas_kukm"}),
    AgencyKind.DINAS_KUKM: frozenset({"dinas_kukm"}),
    AgencyKind.BPVP_BLK: frozenset({"dinas_training"}),
    AgencyKind.BAPAS: frozenset({"bapas"}),
    AgencyKind.KANWIL: frozenset({"kanwil"}),
    AgencyKind.EMPLOYER_PARTNER: frozenset({"employer"}),
}


def request(consumer: Consumer, agency: Agency, actor: Actor, now: datetime) -> Consumer:
    """Return a new consumer of an active agency; it waits for approval.

    Raises AgencyNotActive, or GrantRefused when a grant exceeds its agency.
    """
    require_active(agency)
    for grant in consumer.grants:
        _check_grant(grant, agency, now)
    return replace(
        consumer,
        owner=agency.owner,
        status=Status.PENDING,
        requested_by=actor.by,
        requested_for=actor.on_behalf_of,
        history=(StatusChange(at=now, to=Status.PENDING, actor=actor.by),),
    )


def change_status(
    consumer: Consumer, to: Status, actor: Actor, now: datetime, reason: str = ""
) -> Consumer:
    """Return the consumer at its next status.

    Raises ConsumerMoveRefused when `STATUS_TRANSITIONS` has no such step, ApprovedByRequester
    when the approver conflicts with the actor of the request (segregation of duties).
    """
    if to not in STATUS_TRANSITIONS[consumer.status]:
        raise ConsumerMoveRefused(status_now=consumer.status.value)
    is_approval = consumer.status is Status.PENDING and to is Status.ACTIVE
    requester = Actor(consumer.requested_by, consumer.requested_for)
    if is_approval and actor.conflicts_with(requester):
        raise ApprovedByRequester
    change = StatusChange(at=now, to=to, actor=actor.by, reason=reason)
    return replace(consumer, status=to, history=(*consumer.history, change))


def _check_grant(grant: Grant, agency: Agency, now: datetime) -> None:
    if grant.role not in ROLES_BY_AGENCY_KIND[agency.kind]:
        raise GrantRefused(TEXTS["grants.role"], role=grant.role)
    outside_role = OUTSIDE_ROLES.get(grant.role)
    needs_regency = outside_role is not None and outside_role.is_bound_to_regency
    if needs_regency and len(grant.regency_codes) == 0:
        raise GrantRefused(TEXTS["grants.without_regency"])
    if not grant.regency_codes.issubset(agency.regency_codes):
        raise GrantRefused(TEXTS["grants.regency"])
    is_over = grant.valid_until <= now
    is_empty = grant.valid_until <= grant.valid_from
    if is_over or is_empty:
        raise GrantRefused(TEXTS["grants.period"])
