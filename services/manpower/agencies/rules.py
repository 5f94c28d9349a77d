"""What is allowed: agencies (offices and employers), who approves them, and which of them answers for a topic in a regency.

Regency codes are those of Kemendagri (`19.02` = Belitung); the prison's island has two regencies, so no agency is a constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from chassis.caller import Actor
from chassis.errors import Conflict, Forbidden, NotFound, Refused
from services.manpower import texts

RegencyCode = Annotated[str, StringConstraints(pattern=r"^\d{2}\.\d{2}$")]
AgencyId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{2,59}$")]


def _truncate_to_milliseconds(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)
    except OverflowError:
        raise ValueError from None


Moment = Annotated[AwareDatetime, AfterValidator(_truncate_to_milliseconds)]
"""A moment in UTC, cut to the millisecond that is kept."""

LastDay = Annotated[date, Field(le=date(2199, 12, 31))]
"""A day with a day after it."""

_CENTRAL_PROVINCES = frozenset(
    {"51", "52", "53", "63", "64", "65", "71", "72", "73", "74", "75", "76"}
)
_EASTERN_PROVINCES = frozenset({"81", "82", "91", "92", "93", "94", "95", "96", "97"})


class AgencyUnknown(NotFound):
    """No such agency for this caller."""


class AgencyNameTaken(Conflict):
    """Another agency of this kind has the same name, spaces and case aside, or the same NIB."""

    title = texts.AGENCY_NAME_TAKEN
    field = "name"


class NibMissing(Refused):
    """An employer needs its business number."""

    title = texts.NIB_MISSING
    field = "nib"


class AgencyMoveRefused(Conflict):
    """The agency's status does not allow this step."""

    title = texts.AGENCY_MOVE_REFUSED


class AgencyNotActive(Refused):
    """An agency that is not approved, suspended or closed does nothing here."""

    title = texts.AGENCY_NOT_ACTIVE


class RegencyNotServed(Refused):
    """The agency does not answer for this regency."""

    title = texts.REGENCY_NOT_SERVED
    field = "regency_code"


class RouteMissing(Refused):
    """The routing table names no agency for this regency and topic."""

    title = texts.ROUTE_MISSING


class ApprovedByRequester(Forbidden):
    """Who asked may not approve (four eyes)."""

    code = "same_eyes"
    title = texts.SAME_EYES


class NotYourAgency(Forbidden):
    """An office from outside registers and judges employers of its regencies only."""

    title = texts.NOT_YOUR_AGENCY


class AgencyKind(StrEnum):
    """What an agency is."""

    DINAS_TK = "dinas_tk"
    DINAS_KUKM = "dinas_kukm"
    BPVP_BLK = "bpvp_blk"
    BAPAS = "bapas"
    KANWIL = "kanwil"
    EMPLOYER_PARTNER = "employer_partner"


class Topic(StrEnum):
    """What the routing table tells apart."""

    PLACEMENT = "placement"
    TRAINING = "training"
    COOPERATIVE = "cooperative"
    SUPERVISION = "supervision"


class Status(StrEnum):
    """Where an agency or a consumer stands."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange:
    """One step of the status, as it is kept for ever."""

    at: datetime
    to: Status
    actor: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency:
    """An office or an employer outside the prison. `nib` is the employer's business number (Nomor Induk Berusaha)."""

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
        """Whether it takes part at all."""
        return self.status is Status.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerRoute:
    """Which agency answered before, until when."""

    agency_id: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyRoute:
    """One row of the routing table: who answers for a topic in a regency."""

    id: str
    version: int = 0
    regency_code: str
    topic: Topic
    agency_id: str
    since: datetime
    former: tuple[FormerRoute, ...] = ()


def name_key(name: str) -> str:
    """A name without the differences of case and space by which one employer would be entered twice."""
    return " ".join(name.casefold().split())


def register(agency: Agency, actor: Actor, now: datetime) -> Agency:
    """A new agency, waiting for a second person. NibMissing for an employer without one."""
    if agency.kind is AgencyKind.EMPLOYER_PARTNER and not agency.nib:
        raise NibMissing
    first = StatusChange(at=now, to=Status.PENDING, actor=actor.by)
    return replace(
        agency,
        status=Status.PENDING,
        registered_by=actor.by,
        registered_for=actor.on_behalf_of,
        history=(first,),
    )


def change_status(
    agency: Agency, to: Status, actor: Actor, now: datetime, reason: str = ""
) -> Agency:
    """The agency at its next status. ApprovedByRequester when its registrar approves it; AgencyMoveRefused when the table has no such step."""
    if to not in STATUS_TRANSITIONS[agency.status]:
        raise AgencyMoveRefused(status_now=agency.status.value)
    if (
        agency.status is Status.PENDING
        and to is Status.ACTIVE
        and actor.conflicts_with(Actor(agency.registered_by, agency.registered_for))
    ):
        raise ApprovedByRequester
    return replace(
        agency,
        status=to,
        history=(*agency.history, StatusChange(at=now, to=to, actor=actor.by, reason=reason)),
    )


def require_agency_authority(agency: Agency, *, is_outside: bool) -> None:
    """NotYourAgency when a hand from outside touches anything but an employer."""
    if is_outside and agency.kind is not AgencyKind.EMPLOYER_PARTNER:
        raise NotYourAgency


def require_active(agency: Agency) -> None:
    """AgencyNotActive unless it takes part now."""
    if not agency.is_active:
        raise AgencyNotActive


def route_id(regency_code: str, topic: Topic) -> str:
    """The id of the routing table's row."""
    return f"{regency_code}:{topic.value}"


def assign_route(
    former: AgencyRoute | None, regency_code: str, topic: Topic, agency: Agency, now: datetime
) -> AgencyRoute:
    """The row that sends this topic of this regency to the agency; who answered before is kept."""
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
    return replace(
        former,
        agency_id=agency.id,
        since=now,
        former=(*former.former, FormerRoute(agency_id=former.agency_id, until=now)),
    )


def zone_of(regency_code: str) -> ZoneInfo:
    """The zone of a regency by its province (Keppres 41/1987): WIB, WITA or WIT."""
    province = regency_code[:2]
    return ZoneInfo(
        "Asia/Makassar"
        if province in _CENTRAL_PROVINCES
        else "Asia/Jayapura"
        if province in _EASTERN_PROVINCES
        else "Asia/Jakarta"
    )


def end_of_day(day: date, regency_code: str) -> datetime:
    """The first instant (UTC) after this whole local day."""
    return datetime.combine(day + timedelta(days=1), time.min, zone_of(regency_code)).astimezone(
        UTC
    )
