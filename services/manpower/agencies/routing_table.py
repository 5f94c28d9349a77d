"""Rules of the routing table: which agency answers for a topic in a regency.

Regency codes are those of Kemendagri (`19.02` = Belitung). The prison's island has two regencies,
so the responsible agency is data, not a constant. Not here: agencies (rules).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.errors import Refused, VersionRequired
from services.manpower.agencies.rules import Agency, require_active
from services.manpower.settings import TEXTS


class RegencyNotServed(Refused):
    """The agency does not serve this regency."""

    title = TEXTS["errors.regency_not_served"]
    field = "regency_code"


class RouteMissing(Refused):
    """The routing table names no agency for this regency and topic."""

    title = TEXTS["errors.route_missing"]


class Topic(StrEnum):
    """The topics of the routing table."""

    PLACEMENT = "placement"
    TRAINING = "training"
    COOPERATIVE = "cooperative"
    SUPERVISION = "supervision"


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
