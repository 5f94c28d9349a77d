"""What is allowed: consumers (systems and officer groups of an agency), their grants, and the two persons it takes to admit one.

Secrets and working grants lie in the gateway; here is what was asked for, on what legal ground, who agreed, and where the consumer stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.caller import Actor
from chassis.errors import Conflict, Forbidden, NotFound, Refused
from services.manpower import texts
from services.manpower.agencies.rules import (
    STATUS_TRANSITIONS,
    Agency,
    AgencyKind,
    ApprovedByRequester,
    Status,
    StatusChange,
    require_active,
)
from services.manpower.visibility.rules import OUTSIDE_ROLES


class ConsumerUnknown(NotFound):
    """No such consumer for this caller."""


class ConsumerMoveRefused(Conflict):
    """The consumer's status does not allow this step."""

    title = texts.CONSUMER_MOVE_REFUSED


class ConsumerSuspended(Forbidden):
    """The consumer may not read now; its feed and its cursor wait for it."""

    title = texts.CONSUMER_SUSPENDED


class GrantRefused(Refused):
    """A grant that its agency cannot have."""

    title = texts.GRANT_REFUSED
    field = "grants"


class ConsumerKind(StrEnum):
    """What reads: a machine, or a group of officers."""

    SYSTEM = "system"
    OFFICER_GROUP = "officer_group"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A role with its row scope, from and until a moment; the gateway makes it so."""

    role: str
    regency_codes: frozenset[str]
    valid_from: datetime
    valid_until: datetime

    def is_in_force(self, now: datetime) -> bool:
        """Whether it counts at this instant."""
        return self.valid_from <= now < self.valid_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """Who reads on behalf of an agency. `credential_refs` name credentials in the gateway, never their secrets."""

    id: str
    version: int = 0
    agency_id: str
    kind: ConsumerKind
    title: str
    purpose: str
    legal_basis: str
    credential_refs: frozenset[str] = frozenset()
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
    """A new consumer of an active agency, waiting for a second person. GrantRefused when a grant exceeds its agency."""
    require_active(agency)
    _check_grants(consumer.grants, agency, now)
    first = StatusChange(at=now, to=Status.PENDING, actor=actor.by)
    return replace(
        consumer,
        status=Status.PENDING,
        requested_by=actor.by,
        requested_for=actor.on_behalf_of,
        history=(first,),
    )


def change_status(
    consumer: Consumer, to: Status, actor: Actor, now: datetime, reason: str = ""
) -> Consumer:
    """The consumer at its next status. ApprovedByRequester when its requester approves it; ConsumerMoveRefused when the table has no such step."""
    if to not in STATUS_TRANSITIONS[consumer.status]:
        raise ConsumerMoveRefused(status_now=consumer.status.value)
    if (
        consumer.status is Status.PENDING
        and to is Status.ACTIVE
        and actor.conflicts_with(Actor(consumer.requested_by, consumer.requested_for))
    ):
        raise ApprovedByRequester
    return replace(
        consumer,
        status=to,
        history=(*consumer.history, StatusChange(at=now, to=to, actor=actor.by, reason=reason)),
    )


def attach_credential(consumer: Consumer, credential_ref: str) -> Consumer:
    """The consumer with one more credential of the gateway's; rotation has two live ones."""
    return replace(consumer, credential_refs=consumer.credential_refs | {credential_ref})


def require_not_suspended(readers: Iterable[Consumer | Agency]) -> None:
    """ConsumerSuspended when any of those for whom the caller reads is not active."""
    if any(each.status is not Status.ACTIVE for each in readers):
        raise ConsumerSuspended


def _check_grants(grants: Iterable[Grant], agency: Agency, now: datetime) -> None:
    for grant in grants:
        if grant.role not in ROLES_BY_AGENCY_KIND[agency.kind]:
            raise GrantRefused(texts.GRANT_ROLE, role=grant.role)
        if (
            grant.role in OUTSIDE_ROLES
            and OUTSIDE_ROLES[grant.role].is_bound_to_regency
            and not grant.regency_codes
        ):
            raise GrantRefused(texts.GRANT_WITHOUT_REGENCY)
        if not grant.regency_codes <= agency.regency_codes:
            raise GrantRefused(texts.GRANT_REGENCY)
        if not now < grant.valid_until or not grant.valid_from < grant.valid_until:
            raise GrantRefused(texts.GRANT_PERIOD)
