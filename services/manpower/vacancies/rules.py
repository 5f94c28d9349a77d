"""What is allowed: vacancies and their slots. The slots are a document of their own, so that filling one changes no officer's version.

The fields follow the employer's duty to report (Perpres 57/2023). Age and sex are no fields: no legal reason for them is recorded here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import Conflict, NotFound, Refused
from services.manpower import texts
from services.manpower.agencies.rules import Agency, AgencyKind, end_of_day, require_active


class VacancyUnknown(NotFound):
    """No such vacancy for this caller."""


class VacancyNotOpen(Conflict):
    """The vacancy is closed, or its last day is over where it lies."""

    title = texts.VACANCY_NOT_OPEN


class VacancyMoveRefused(Conflict):
    """The vacancy is closed already."""

    title = texts.VACANCY_CLOSED_ALREADY


class SlotsFull(Conflict):
    """Every slot is taken."""

    title = texts.SLOTS_FULL


class HeadcountRefused(Refused):
    """Fewer slots than are taken, or none."""

    title = texts.HEADCOUNT_REFUSED
    field = "headcount"


class ValidityRefused(Refused):
    """The last day is over already."""

    title = texts.VALIDITY_REFUSED
    field = "valid_until"


class WageBandRefused(Refused):
    """The band's upper end lies below its lower one."""

    title = texts.WAGE_BAND_REFUSED
    field = "wage_band"


class EmployerRefused(Refused):
    """Only an approved employer offers work."""

    title = texts.EMPLOYER_REFUSED
    field = "employer_id"


class VacancyState(StrEnum):
    """Whether candidates may apply."""

    OPEN = "open"
    CLOSED = "closed"


STATE_TRANSITIONS: Mapping[VacancyState, frozenset[VacancyState]] = {
    VacancyState.OPEN: frozenset({VacancyState.CLOSED}),
    VacancyState.CLOSED: frozenset(),
}


class Closing(StrEnum):
    """Why a vacancy closed."""

    FILLED = "filled"
    FILLED_ELSEWHERE = "filled_elsewhere"
    WITHDRAWN = "withdrawn"


class VacancySource(StrEnum):
    """Who entered it."""

    EMPLOYER = "employer"
    DINAS = "dinas"
    OFFICER = "officer"


@dataclass(frozen=True, slots=True, kw_only=True)
class WageBand:
    """Monthly wage in integer rupiah, from and to."""

    from_idr: int
    to_idr: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What the employer asks for: units held (SKKNI codes), schooling, months of experience, SKCK (police certificate)."""

    units: frozenset[str] = frozenset()
    education: str = ""
    experience_months: int = 0
    skck: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VacancyChange:
    """One step, as it is kept for ever."""

    at: datetime
    to: VacancyState
    actor: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vacancy:
    """Work that an employer offers. Applications are taken until `closes_at`, the end of the last local day."""

    id: str
    version: int = 0
    employer_id: str
    position: str
    kbji_code: str = ""
    regency_code: str
    valid_until: date
    closes_at: datetime
    start_month: str
    wage_band: WageBand
    requirements: Requirements
    source: VacancySource
    state: VacancyState = VacancyState.OPEN
    history: tuple[VacancyChange, ...] = ()

    def takes_applications(self, now: datetime) -> bool:
        """Whether it is open at this instant."""
        return self.state is VacancyState.OPEN and now < self.closes_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """The places of one vacancy; `id` is the vacancy's."""

    id: str
    version: int = 0
    capacity: int
    taken: int = 0

    @property
    def left(self) -> int:
        """How many are free."""
        return self.capacity - self.taken


def post(vacancy: Vacancy, employer: Agency, actor: str, now: datetime) -> Vacancy:
    """A new open vacancy of an approved employer."""
    if employer.kind is not AgencyKind.EMPLOYER_PARTNER:
        raise EmployerRefused
    require_active(employer)
    _check_terms(vacancy, now)
    return replace(
        vacancy,
        closes_at=end_of_day(vacancy.valid_until, vacancy.regency_code),
        state=VacancyState.OPEN,
        history=(VacancyChange(at=now, to=VacancyState.OPEN, actor=actor),),
    )


def amend(
    vacancy: Vacancy,
    now: datetime,
    *,
    valid_until: date | None = None,
    wage_band: WageBand | None = None,
    start_month: str | None = None,
) -> Vacancy:
    """The vacancy with changed terms; its applications and history stay. VacancyNotOpen when it is closed."""
    if vacancy.state is not VacancyState.OPEN:
        raise VacancyNotOpen
    changed = replace(
        vacancy,
        valid_until=valid_until or vacancy.valid_until,
        wage_band=wage_band or vacancy.wage_band,
        start_month=start_month or vacancy.start_month,
    )
    _check_terms(changed, now)
    return replace(changed, closes_at=end_of_day(changed.valid_until, changed.regency_code))


def close(vacancy: Vacancy, reason: Closing, actor: str, now: datetime) -> Vacancy:
    """The vacancy closed; VacancyMoveRefused when it was."""
    if VacancyState.CLOSED not in STATE_TRANSITIONS[vacancy.state]:
        raise VacancyMoveRefused
    return replace(
        vacancy,
        state=VacancyState.CLOSED,
        history=(
            *vacancy.history,
            VacancyChange(at=now, to=VacancyState.CLOSED, actor=actor, reason=reason.value),
        ),
    )


def require_open(vacancy: Vacancy, now: datetime) -> None:
    """VacancyNotOpen unless it takes applications at this instant."""
    if not vacancy.takes_applications(now):
        raise VacancyNotOpen


def open_slots(vacancy_id: str, headcount: int) -> Slots:
    """The free slots of a new vacancy."""
    if headcount < 1:
        raise HeadcountRefused
    return Slots(id=vacancy_id, capacity=headcount)


def take_slot(slots: Slots) -> Slots:
    """One slot less; SlotsFull when none is left."""
    if slots.left < 1:
        raise SlotsFull
    return replace(slots, taken=slots.taken + 1)


def resize_slots(slots: Slots, headcount: int) -> Slots:
    """The slots with another capacity, which must leave one free: filling the last one is a placement's work. HeadcountRefused otherwise."""
    if headcount <= slots.taken:
        raise HeadcountRefused(taken=slots.taken)
    return replace(slots, capacity=headcount)


def _check_terms(vacancy: Vacancy, now: datetime) -> None:
    if not 0 <= vacancy.wage_band.from_idr <= vacancy.wage_band.to_idr:
        raise WageBandRefused
    if now >= end_of_day(vacancy.valid_until, vacancy.regency_code):
        raise ValidityRefused
