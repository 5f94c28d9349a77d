"""Rules of agencies: offices and employers, who approves them, who suspends and closes them.

Not here: the systems and officer groups of an agency (consumers), the routing table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import StringConstraints

from chassis.caller import EVERYTHING, Actor
from chassis.errors import Conflict, Forbidden, NotFound, Refused
from services.manpower.settings import TEXTS

RegencyCode = Annotated[str, StringConstraints(pattern=r"^\d{2}\.\d{2}$")]
AgencyId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{2,59}$")]


class AgencyUnknown(NotFound):
    """No such agency for this caller."""


class AgencyNameTaken(Conflict):
    """Another agency has the same id or NIB, or is of this kind and has the same name.

    Names are compared without spaces and case.
    """

    title = TEXTS["errors.agency_name_taken"]
    field = "name"


class NibMissing(Refused):
    """An employer has no business number."""

    title = TEXTS["errors.nib_missing"]
    field = "nib"


class AgencyMoveRefused(Conflict):
    """The agency's status does not allow this step."""

    title = TEXTS["errors.agency_move_refused"]


class AgencyNotActive(Refused):
    """The agency is not approved yet, suspended or closed."""

    title = TEXTS["errors.agency_not_active"]


class ApprovedByRequester(Forbidden):
    """Approver and requester are one person, act for each other, or for the same person."""

    code = "same_eyes"
    title = TEXTS["errors.same_eyes"]


class KanwilFromAbove(Refused):
    """An officer above all facilities registers the Kanwil, which supervises the facilities."""

    title = TEXTS["errors.kanwil_from_above"]
    field = "kind"


class FacilitiesRefused(Refused):
    """The agency works with a facility that is not the caller's, and would see its production."""

    title = TEXTS["errors.facilities_refused"]
    field = "facility_ids"


class NotYourAgency(Forbidden):
    """An outside office may register and assess only employers of its regencies."""

    title = TEXTS["errors.not_your_agency"]


class ConsumerSuspended(Forbidden):
    """An agency or consumer for which the caller reads is not active; its cursor stays valid."""

    title = TEXTS["errors.consumer_suspended"]


class AgencyKind(StrEnum):
    """The kinds of agencies."""

    DINAS_TK = "dinas_tk"
    DINAS_KUKM = "dinas_kukm"
    BPVP_BLK = "bpvp_blk"
    BAPAS = "bapas"
    KANWIL = "kanwil"
    EMPLOYER_PARTNER = "employer_partner"


class Status(StrEnum):
    """The status of an agency or a consumer."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


STATUS_TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.ACTIVE, Status.CLOSED}),
    Status.ACTIVE: frozenset({Status.SUSPENDED, Status.CLOSED}),
    Status.SUSPENDED: frozenset({Status.ACTIVE, Status.CLOSED}),
    Status.CLOSED: frozenset(),
}


class HasStatus(Protocol):
    """An agency or a consumer."""

    @property
    def status(self) -> Status: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange:
    """One change of status; it is kept permanently."""

    at: datetime
    to: Status
    actor: str
    reason: str = ""
    proposed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusProposal:
    """A suspension or closure of an office that waits for a second person."""

    at: datetime
    to: Status
    reason: str
    proposed_by: str
    proposed_for: str = ""

    @property
    def proposer(self) -> Actor:
        """The actor who proposed it."""
        return Actor(self.proposed_by, self.proposed_for)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency:
    """An office or an employer outside the prison.

    `nib` is the employer's business number (Nomor Induk Berusaha). `owner` is the facility that
    changes it, `*` = above all facilities.
    """

    id: str
    version: int = 0
    owner: str
    kind: AgencyKind
    name: str
    name_key: str
    nib: str | None = None
    regency_codes: frozenset[str]
    facility_ids: frozenset[str] = frozenset()
    contacts: tuple[str, ...] = ()
    purpose: str
    legal_basis: str
    status: Status = Status.PENDING
    registered_by: str
    registered_for: str = ""
    proposal: StatusProposal | None = None
    history: tuple[StatusChange, ...] = ()

    @property
    def is_active(self) -> bool:
        """Whether the agency is approved, and neither suspended nor closed."""
        return self.status is Status.ACTIVE


def name_key(name: str) -> str:
    """Return the form in which names are compared: case folded, single spaces."""
    return " ".join(name.casefold().split())


def register(agency: Agency, actor: Actor, now: datetime) -> Agency:
    """Return a new agency that waits for approval. Raises NibMissing, KanwilFromAbove."""
    if agency.kind is AgencyKind.EMPLOYER_PARTNER and not agency.nib:
        raise NibMissing
    if agency.kind is AgencyKind.KANWIL and agency.owner != EVERYTHING:
        raise KanwilFromAbove
    return replace(
        agency,
        status=Status.PENDING,
        registered_by=actor.by,
        registered_for=actor.on_behalf_of,
        history=(StatusChange(at=now, to=Status.PENDING, actor=actor.by),),
    )


def change_status(
    agency: Agency, to: Status, actor: Actor, now: datetime, reason: str = ""
) -> Agency:
    """Return the agency at its next status.

    Raises AgencyMoveRefused when `STATUS_TRANSITIONS` has no such step, ApprovedByRequester when
    the approver conflicts with the actor of the registration (segregation of duties).
    """
    if to not in STATUS_TRANSITIONS[agency.status]:
        raise AgencyMoveRefused(status_now=agency.status.value)
    is_approval = agency.status is Status.PENDING and to is Status.ACTIVE
    requester = Actor(agency.registered_by, agency.registered_for)
    if is_approval and actor.conflicts_with(requester):
        raise ApprovedByRequester
    return _with_status(agency, StatusChange(at=now, to=to, actor=actor.by, reason=reason))


def approve(agency: Agency, actor: Actor, now: datetime) -> Agency:
    """Return the agency after the second person agreed: to its registration or to a proposal.

    Raises AgencyMoveRefused when nothing waits, ApprovedByRequester.
    """
    proposal = agency.proposal
    if proposal is not None:
        return _accept_proposal(agency, proposal, actor, now)
    if agency.status is not Status.PENDING:
        raise AgencyMoveRefused(status_now=agency.status.value)
    return change_status(agency, Status.ACTIVE, actor, now)


def restrict(
    agency: Agency, to: Status, actor: Actor, now: datetime, reason: str, *, is_from_above: bool
) -> Agency:
    """Return the agency suspended or closed, or with the proposal that a second person agrees.

    All facilities share data with an office, so one person alone ends that only for an employer,
    before the approval, or as an officer above all facilities. The same step by another person
    accepts the proposal. Raises AgencyMoveRefused.
    """
    is_shared_office = agency.kind is not AgencyKind.EMPLOYER_PARTNER
    needs_two_persons = is_shared_office and agency.status is not Status.PENDING
    if is_from_above or not needs_two_persons:
        return change_status(agency, to, actor, now, reason)
    if to not in STATUS_TRANSITIONS[agency.status]:
        raise AgencyMoveRefused(status_now=agency.status.value)
    proposal = agency.proposal
    if proposal is not None and proposal.to is to and not actor.conflicts_with(proposal.proposer):
        return _accept_proposal(agency, proposal, actor, now)
    proposed = StatusProposal(
        at=now,
        to=to,
        reason=reason,
        proposed_by=actor.by,
        proposed_for=actor.on_behalf_of,
    )
    return replace(agency, proposal=proposed)


def resume(agency: Agency, actor: Actor, now: datetime) -> Agency:
    """Return the agency active again, and without a proposal. Raises AgencyMoveRefused."""
    if agency.status is Status.ACTIVE and agency.proposal is not None:
        return replace(agency, proposal=None)
    if agency.status is not Status.SUSPENDED:
        raise AgencyMoveRefused(status_now=agency.status.value)
    return change_status(agency, Status.ACTIVE, actor, now)


def require_agency_authority(agency: Agency, *, is_outside: bool) -> None:
    """Raise NotYourAgency when an outside office acts on an agency that is not an employer."""
    if is_outside and agency.kind is not AgencyKind.EMPLOYER_PARTNER:
        raise NotYourAgency


def require_in_scope(*, is_in_scope: bool) -> None:
    """Raise NotYourAgency when the caller's claims do not cover the agency."""
    if not is_in_scope:
        raise NotYourAgency


def require_own_facilities(*, are_own: bool) -> None:
    """Raise FacilitiesRefused when the caller acts for less than all facilities of an agency."""
    if not are_own:
        raise FacilitiesRefused


def require_free_name(namesake: Agency | None) -> None:
    """Raise AgencyNameTaken when another agency has this id, name or NIB."""
    if namesake is not None:
        raise AgencyNameTaken


def require_active(agency: Agency) -> None:
    """Raise AgencyNotActive unless the agency is active."""
    if not agency.is_active:
        raise AgencyNotActive


def require_not_suspended(readers: Iterable[HasStatus]) -> None:
    """Raise ConsumerSuspended unless all these agencies and consumers of the caller are active."""
    for reader in readers:
        if reader.status is not Status.ACTIVE:
            raise ConsumerSuspended


def _accept_proposal(
    agency: Agency, proposal: StatusProposal, actor: Actor, now: datetime
) -> Agency:
    if actor.conflicts_with(proposal.proposer):
        raise ApprovedByRequester
    change = StatusChange(
        at=now,
        to=proposal.to,
        actor=actor.by,
        reason=proposal.reason,
        proposed_by=proposal.proposed_by,
    )
    return _with_status(agency, change)


def _with_status(agency: Agency, change: StatusChange) -> Agency:
    return replace(agency, status=change.to, proposal=None, history=(*agency.history, change))
