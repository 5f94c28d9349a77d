"""Rules of agencies: offices and employers, who approves them, and the routing table.

The routing table says which agency answers for a topic in a regency. Regency codes are those of
Kemendagri (`19.02` = Belitung). The prison's island has two regencies, so the responsible agency is
data, not a constant.
Not here: the systems and officer groups of an agency (consumers).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Protocol
from zoneinfo import ZoneInfo

from pydantic import StringConstraints

from chassis.caller import Actor
from chassis.errors import Conflict, Forbidden, NotFound, Refused, VersionRequired
from services.manpower.settings import TEXTS

RegencyCode = Annotated[str, StringConstraints(pattern=r"^\d{2}\.\d{2}$")]
AgencyId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{2,59}$")]


_CENTRAL_PROVINCES = frozenset(
    {"51", "52", "53", "63", "64", "65", "71", "72", "73", "74", "75", "76"}
)
_EASTERN_PROVINCES = frozenset({"81", "82", "91", "92", "93", "94", "95", "96", "97"})


class AgencyUnknown(NotFound):
    """No such agency for this caller."""


class AgencyNameTaken(Conflict):
    """Another agency has the same id or NIB, or is of this kind and has the same name.

    Names are compared without spaces and case.
    """

    title = TEXTS["errors.agency_name_taken"].id
    field = "name"


class NibMissing(Refused):
    """An employer has no business number."""

    title = TEXTS["errors.nib_missing"].id
    field = "nib"


class AgencyMoveRefused(Conflict):
    """The agency's status does not allow this step."""

    title = TEXTS["errors.agency_move_refused"].id


class AgencyNotActive(Refused):
    """The agency is not approved yet, suspended or closed."""

    title = TEXTS["errors.agency_not_active"].id


class RegencyNotServed(Refused):
    """The agency does not serve this regency."""

    title = TEXTS["errors.regency_not_served"].id
    field = "regency_code"


class RouteMissing(Refused):
    """The routing table names no agency for this regency and topic."""

    title = TEXTS["errors.route_missing"].id


class ApprovedByRequester(Forbidden):
    """Approver and requester are one person, act for each other, or for the same person."""

    code = "same_eyes"
    title = TEXTS["errors.same_eyes"].id


class NotYourAgency(Forbidden):
    """An outside office may register and assess only employers of its regencies."""

    title = TEXTS["errors.not_your_agency"].id


class ConsumerSuspended(Forbidden):
    """An agency or consumer for which the caller reads is not active; its cursor stays valid."""

    title = TEXTS["errors.consumer_suspended"].id


class AgencyKind(StrEnum):
    """The kinds of agencies."""

    DINAS_TK = "dinas_tk"
    DINAS_KUKM = "dinas_kukm"
    BPVP_BLK = "bpvp_blk"
    BAPAS = "bapas"
    KANWIL = "kanwil"
    EMPLOYER_PARTNER = "employer_partner"


class Topic(StrEnum):
    """The topics of the routing table."""

    PLACEMENT = "placement"
    TRAINING = "training"
    COOPERATIVE = "cooperative"
    SUPERVISION = "supervision"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency:
    """An office or an employer outside the prison.

    `nib` is the employer's business number (Nomor Induk Berusaha).
    """

    id: str
    version: int = 0
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
    history: tuple[StatusChange, ...] = ()

    @property
    def is_active(self) -> bool:
        """Whether the agency is approved, and neither suspended nor closed."""
        return self.status is Status.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerRoute:
    """An agency that answered before, and until when."""

    agency_id: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyRoute:
    """One row of the routing table: which agency answers for a topic in a regency."""

    id: str
    version: int = 0
    regency_code: str
    topic: Topic
    agency_id: str
    since: datetime
    former: tuple[FormerRoute, ...] = ()


def name_key(name: str) -> str:
    """Return the form in which names are compared: case folded, single spaces."""
    return " ".join(name.casefold().split())


def register(agency: Agency, actor: Actor, now: datetime) -> Agency:
    """Return a new agency that waits for approval. Raises NibMissing."""
    if agency.kind is AgencyKind.EMPLOYER_PARTNER and not agency.nib:
        raise NibMissing
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
    change = StatusChange(at=now, to=to, actor=actor.by, reason=reason)
    return replace(agency, status=to, history=(*agency.history, change))


def require_agency_authority(agency: Agency, *, is_outside: bool) -> None:
    """Raise NotYourAgency when an outside office acts on an agency that is not an employer."""
    if is_outside and agency.kind is not AgencyKind.EMPLOYER_PARTNER:
        raise NotYourAgency


def require_in_scope(*, is_in_scope: bool) -> None:
    """Raise NotYourAgency when the caller's claims do not cover the agency."""
    if not is_in_scope:
        raise NotYourAgency


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


def route_id(regency_code: str, topic: Topic) -> str:
    """Return the id of a row of the routing table."""
    return f"{regency_code}:{topic.value}"


def require_route(route: AgencyRoute | None, regency_code: str, topic: Topic) -> AgencyRoute:
    """Return the row. Raises RouteMissing when there is none."""
    if route is None:
        raise RouteMissing(regency_code=regency_code, topic=topic.value)
    return route


def require_version(version: int | None) -> int:
    """Return the version of If-Match. Raises VersionRequired without one."""
    if version is None:
        raise VersionRequired
    return version


def assign_route(
    former: AgencyRoute | None, regency_code: str, topic: Topic, agency: Agency, now: datetime
) -> AgencyRoute:
    """Return the row that names the agency; it keeps which agency answered before.

    Raises AgencyNotActive, RegencyNotServed.
    """
    require_active(agency)
    if regency_code not in agency.regency_codes:
        raise RegencyNotServed
    if former is None:
        return AgencyRoute(
            id=route_id(regency_code, topic),
            regency_code=regency_code,
            topic=topic,
            agency_id=agency.id,
            since=now,
        )
    ended = FormerRoute(agency_id=former.agency_id, until=now)
    return replace(former, agency_id=agency.id, since=now, former=(*former.former, ended))


def zone_of(regency_code: str) -> ZoneInfo:
    """Return the time zone of a regency: WIB, WITA or WIT, by its province (Keppres 41/1987)."""
    province = regency_code[:2]
    if province in _CENTRAL_PROVINCES:
        return ZoneInfo("Asia/Makassar")
    if province in _EASTERN_PROVINCES:
        return ZoneInfo("Asia/Jayapura")
    return ZoneInfo("Asia/Jakarta")


def end_of_day(day: date, regency_code: str) -> datetime:
    """Return the first moment (UTC) after this whole local day."""
    next_midnight = datetime.combine(day + timedelta(days=1), time.min, zone_of(regency_code))
    return next_midnight.astimezone(UTC)
