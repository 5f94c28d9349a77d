"""Rules of vacancies and their slots. Not here: applications to them.

The slots are a document of their own, so that filling one does not change the officer's version of
the vacancy. The fields follow the employer's duty to report (Perpres 57/2023). There are no fields
for age and sex, because no legal reason for them is recorded here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import Conflict, NotFound, Refused
from services.manpower.agencies.local_days import end_of_day
from services.manpower.agencies.rules import Agency, AgencyKind, require_active
from services.manpower.settings import TEXTS


class VacancyUnknown(NotFound):
    """No such vacancy for this caller."""


class VacancyNotOpen(Conflict):
    """The vacancy is closed, or its last day is over in its regency."""

    title = TEXTS["errors.vacancy_not_open"]


class VacancyMoveRefused(Conflict):
    """The vacancy is already closed."""

    title = TEXTS["errors.vacancy_move_refused"]


class SlotsFull(Conflict):
    """Every slot is taken."""

    title = TEXTS["errors.slots_full"]


class HeadcountRefused(Refused):
    """The headcount leaves no free slot."""

    title = TEXTS["errors.headcount_refused"]
    field = "headcount"


class ValidityRefused(Refused):
    """The last day is already over."""

    title = TEXTS["errors.validity_refused"]
    field = "valid_until"


class WageBandRefused(Refused):
    """The upper end of the wage band is below its lower end, or a wage is negative."""

    title = TEXTS["errors.wage_band_refused"]
    field = "wage_band"


class EmployerRefused(Refused):
    """Only a registered employer offers work, and a caller only within its claims."""

    title = TEXTS["errors.employer_refused"]
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
    """The reason why a vacancy closed."""

    FILLED = "filled"
    FILLED_ELSEWHERE = "filled_elsewhere"
    WITHDRAWN = "withdrawn"


class VacancySource(StrEnum):
    """The side that entered a vacancy."""

    EMPLOYER = "employer"
    DINAS = "dinas"
    OFFICER = "officer"


@dataclass(frozen=True, slots=True, kw_only=True)
class WageBand:
    """A monthly wage in integer rupiah, from and to."""

    from_idr: int
    to_idr: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What the employer requires.

    `units` are SKKNI codes; `skck` is the police certificate.
    """

    units: frozenset[str] = frozenset()
    education: str = ""
    experience_months: int = 0
    skck: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VacancyChange:
    """One change of state; it is kept permanently."""

    at: datetime
    to: VacancyState
    actor: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vacancy:
    """Work that an employer offers.

    It takes applications until `closes_at`, the end of its last local day. `owner` is the facility
    that changes it beside its employer and the office of its regency, `*` = above all facilities.
    """

    id: str
    version: int = 0
    owner: str
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
        """Return whether the vacancy is open at this moment."""
        return self.state is VacancyState.OPEN and now < self.closes_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """The slots of one vacancy, with its id."""

    id: str
    version: int = 0
    capacity: int
    taken: int = 0

    @property
    def left(self) -> int:
        """The number of free slots."""
        return self.capacity - self.taken


def require_employer(agency: Agency | None) -> Agency:
    """Return the agency. Raises EmployerRefused when the caller sees no such agency."""
    if agency is None:
        raise EmployerRefused
    return agency


def require_in_scope(*, is_in_scope: bool) -> None:
    """Raise EmployerRefused when the caller's claims do not cover the vacancy."""
    if not is_in_scope:
        raise EmployerRefused


def post(vacancy: Vacancy, employer: Agency, actor: str, now: datetime) -> Vacancy:
    """Return a new open vacancy of an approved employer.

    Raises EmployerRefused, AgencyNotActive, WageBandRefused, ValidityRefused.
    """
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


def decide_source(role: str, *, is_outside: bool) -> VacancySource:
    """Return the side that a caller of this role enters a vacancy for."""
    if role == "employer":
        return VacancySource.EMPLOYER
    return VacancySource.DINAS if is_outside else VacancySource.OFFICER


def amend(
    vacancy: Vacancy,
    now: datetime,
    *,
    valid_until: date | None = None,
    wage_band: WageBand | None = None,
    start_month: str | None = None,
) -> Vacancy:
    """Return the vacancy with changed terms; its applications and history stay.

    Raises VacancyNotOpen when it is closed, WageBandRefused, ValidityRefused.
    """
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
    """Return the closed vacancy. Raises VacancyMoveRefused when it is already closed."""
    if VacancyState.CLOSED not in STATE_TRANSITIONS[vacancy.state]:
        raise VacancyMoveRefused
    change = VacancyChange(at=now, to=VacancyState.CLOSED, actor=actor, reason=reason.value)
    return replace(vacancy, state=VacancyState.CLOSED, history=(*vacancy.history, change))


def require_open(vacancy: Vacancy, now: datetime) -> None:
    """Raise VacancyNotOpen unless the vacancy takes applications at this moment."""
    if not vacancy.takes_applications(now):
        raise VacancyNotOpen


def slots_lock(vacancy_id: str) -> str:
    """Return the name of the lock for which placements and the closing of a vacancy contend."""
    return f"slots/{vacancy_id}"


def open_slots(vacancy_id: str, headcount: int) -> Slots:
    """Return the free slots of a new vacancy. Raises HeadcountRefused when there are none."""
    if headcount < 1:
        raise HeadcountRefused
    return Slots(id=vacancy_id, capacity=headcount)


def take_slot(slots: Slots) -> Slots:
    """Return the slots with one more taken. Raises SlotsFull when none is free."""
    if slots.left < 1:
        raise SlotsFull
    return replace(slots, taken=slots.taken + 1)


def resize_slots(slots: Slots, headcount: int) -> Slots:
    """Return the slots with another capacity.

    Raises HeadcountRefused unless one slot stays free: only a placement takes the last one.
    """
    if headcount <= slots.taken:
        raise HeadcountRefused(taken=slots.taken)
    return replace(slots, capacity=headcount)


def _check_terms(vacancy: Vacancy, now: datetime) -> None:
    if not 0 <= vacancy.wage_band.from_idr <= vacancy.wage_band.to_idr:
        raise WageBandRefused
    if now >= end_of_day(vacancy.valid_until, vacancy.regency_code):
        raise ValidityRefused
