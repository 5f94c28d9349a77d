"""Rules of workshops, the production units of a Lapas.

Not here: who works there (workers), what is made there (batches, products).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NewType

from chassis.errors import Conflict, NotFound
from services.marketplace.settings import TEXTS
from services.marketplace.zones import Zone

WorkshopId = NewType("WorkshopId", str)


class WorkshopUnknown(NotFound):
    title = TEXTS["errors.workshop_unknown"]


class WorkshopClosed(Conflict):
    title = TEXTS["errors.workshop_closed"]


class UnitKind(StrEnum):
    """The unit in which work is counted.

    It is fixed for a workshop, so that the units of its participants can be compared.
    """

    PIECE = "piece"
    HOUR = "hour"
    POINT = "point"


class WorkshopState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """A training programme that a workshop puts into practice; its title is public provenance."""

    programme_id: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """A production unit of one Lapas. `code` is part of its batch numbers."""

    id: WorkshopId
    facility_id: str
    zone: Zone
    code: str
    name: str
    product_classes: frozenset[str]
    unit_kind: UnitKind
    programmes: tuple[Programme, ...]
    state: WorkshopState = WorkshopState.OPEN
    version: int = 0


def require_open(workshop: Workshop) -> None:
    """Require an open workshop. Raises WorkshopClosed."""
    if workshop.state is not WorkshopState.OPEN:
        raise WorkshopClosed


def close(workshop: Workshop) -> Workshop:
    """Close the workshop to new work; goods that exist are still sold."""
    require_open(workshop)
    return replace(workshop, state=WorkshopState.CLOSED)
