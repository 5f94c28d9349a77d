"""What is allowed: placements. One takes a slot, places its application and, with the last slot, closes the vacancy: all or nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import NotFound, Refused
from services.manpower import texts
from services.manpower.applications import rules as applications
from services.manpower.applications.rules import (
    Application,
    ApplicationState,
    ConsentMissing,
    Side,
    find_employer_consent_id,
)
from services.manpower.candidates.rules import Candidate, Custody, require_present
from services.manpower.events import PlacementConfirmed
from services.manpower.vacancies import rules as vacancies
from services.manpower.vacancies.rules import Closing, Slots, Vacancy, VacancyState, WageBand
from services.manpower.visibility.rules import Purpose, Visibility


class PlacementUnknown(NotFound):
    """No such placement for this caller."""


class NotFreeToWork(Refused):
    """The person is neither released nor permitted to work outside."""

    title = texts.NOT_FREE_TO_WORK
    field = "permit_number"


class StartRefused(Refused):
    """Work cannot have started before the release."""

    title = texts.START_REFUSED
    field = "started_on"


class PlacementKind(StrEnum):
    """What kind of work."""

    EMPLOYEE = "employee"
    APPRENTICE = "apprentice"
    SELF_EMPLOYED = "self_employed"
    COOPERATIVE = "cooperative"


class PlacementSource(StrEnum):
    """How it was found."""

    APPLICATION = "application"
    OWN_EFFORT = "own_effort"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementTerms:
    """What was agreed. `permit_number` is the recorded permit to work outside before release."""

    kind: PlacementKind
    started_on: date
    wage_band: WageBand | None = None
    permit_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Work that a candidate has."""

    id: str
    version: int = 0
    candidate_id: str
    visibility: Visibility
    terms: PlacementTerms
    source: PlacementSource
    employer_id: str | None = None
    vacancy_id: str | None = None
    application_id: str | None = None
    confirmed_at: datetime
    confirmed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementFacts:
    """All that a placement is decided on. `others` are the vacancy's other live applications."""

    application: Application
    candidate: Candidate
    vacancy: Vacancy
    slots: Slots
    others: tuple[Application, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementOutcome:
    """All that one placement changes."""

    placement: Placement
    application: Application
    slots: Slots
    vacancy: Vacancy
    closed_applications: tuple[tuple[Application, Application], ...]
    events: list[PlacementConfirmed]


def place_application(
    placement_id: str, facts: PlacementFacts, terms: PlacementTerms, actor: str, now: datetime
) -> PlacementOutcome:
    """The accepted application placed on one of the slots. SlotsFull, ConsentMissing, NotFreeToWork or a refused step say why not.

    With the last slot the vacancy closes and its other live applications become VACANCY_CLOSED.
    """
    require_free_to_work(facts.candidate, terms)
    if find_employer_consent_id(facts.application, now) is None:
        raise ConsentMissing
    placed = applications.take_step(
        facts.application, ApplicationState.PLACED, Side.RULE, actor, now
    )
    slots = vacancies.take_slot(facts.slots)
    full = slots.left == 0 and facts.vacancy.state is VacancyState.OPEN
    placement = Placement(
        id=placement_id,
        candidate_id=facts.candidate.id,
        visibility=facts.candidate.visibility,
        terms=terms,
        source=PlacementSource.APPLICATION,
        employer_id=placed.employer_id,
        vacancy_id=facts.vacancy.id,
        application_id=placed.id,
        confirmed_at=now,
        confirmed_by=actor,
    )
    return PlacementOutcome(
        placement=placement,
        application=placed,
        slots=slots,
        vacancy=vacancies.close(facts.vacancy, Closing.FILLED, actor, now)
        if full
        else facts.vacancy,
        closed_applications=tuple(
            (
                other,
                applications.take_step(
                    other, ApplicationState.VACANCY_CLOSED, Side.RULE, actor, now
                ),
            )
            for other in facts.others
            if full and other.live and other.id != placed.id
        ),
        events=[build_confirmation(placement)],
    )


def place_by_own_effort(
    placement_id: str, candidate: Candidate, terms: PlacementTerms, actor: str, now: datetime
) -> tuple[Placement, list[PlacementConfirmed]]:
    """Work that the person found by own effort, without an application here."""
    require_free_to_work(candidate, terms)
    placement = Placement(
        id=placement_id,
        candidate_id=candidate.id,
        visibility=candidate.visibility,
        terms=terms,
        source=PlacementSource.OWN_EFFORT,
        confirmed_at=now,
        confirmed_by=actor,
    )
    return placement, [build_confirmation(placement)]


def require_free_to_work(candidate: Candidate, terms: PlacementTerms) -> None:
    """NotFreeToWork unless the person is released, or holds a permit; StartRefused when the start lies before the release."""
    require_present(candidate)
    if candidate.stay.custody is Custody.RELEASED:
        if terms.started_on < candidate.stay.effective_on and not terms.permit_number:
            raise StartRefused
    elif not terms.permit_number:
        raise NotFreeToWork


def build_confirmation(placement: Placement) -> PlacementConfirmed:
    """What is told of it: no employer, no wage, no name."""
    return PlacementConfirmed(
        participant_ref=placement.candidate_id,
        placement_id=placement.id,
        kind=placement.terms.kind.value,
        started_on=placement.terms.started_on,
    )


def outside_visibility(placement: Placement) -> Visibility:
    """Who outside sees it; of the employers only its own."""
    own = (
        share
        for share in placement.visibility.shares
        if share.purpose is not Purpose.EMPLOYER_SHARE or share.recipient == placement.employer_id
    )
    return replace(placement.visibility, shares=tuple(own))
