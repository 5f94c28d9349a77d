"""Rules of placements. Not here: the steps of an application before it (applications).

A placement takes a slot, places its application and, with the last slot, closes the vacancy: all
of it or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import NotFound, Refused, VersionRequired
from services.manpower.applications import rules as applications
from services.manpower.applications.rules import (
    Application,
    ApplicationState,
    ConsentMissing,
    Side,
    find_employer_consent_id,
)
from services.manpower.candidates.custody import Custody
from services.manpower.candidates.rules import Candidate, require_present
from services.manpower.events import PlacementConfirmed
from services.manpower.settings import TEXTS
from services.manpower.vacancies import rules as vacancies
from services.manpower.vacancies.rules import Closing, Slots, Vacancy, VacancyState, WageBand
from services.manpower.visibility.rules import Purpose, Subject, Visibility, restrict_to_subject


class PlacementUnknown(NotFound):
    """No such placement for this caller."""


class NotFreeToWork(Refused):
    """The person is not released and has no permit to work outside."""

    title = TEXTS["errors.not_free_to_work"]
    field = "permit_number"


class StartRefused(Refused):
    """Work cannot have started before the release."""

    title = TEXTS["errors.start_refused"]
    field = "started_on"


class PlacementKind(StrEnum):
    """The kinds of work."""

    EMPLOYEE = "employee"
    APPRENTICE = "apprentice"
    SELF_EMPLOYED = "self_employed"
    COOPERATIVE = "cooperative"


class PlacementSource(StrEnum):
    """The ways to find work."""

    APPLICATION = "application"
    OWN_EFFORT = "own_effort"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementTerms:
    """What was agreed.

    `permit_number` is that of the permit to work outside before the release.
    """

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

    @property
    def outside_visibility(self) -> Visibility:
        """The visibility for outside readers: of the employers only the placement's own."""
        opened = restrict_to_subject(self.visibility, Subject.PLACEMENT)
        shares = tuple(
            share
            for share in opened.shares
            if share.purpose is not Purpose.EMPLOYER_SHARE or share.recipient == self.employer_id
        )
        return replace(opened, shares=shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementFacts:
    """The facts that decide a placement. `others` are the vacancy's live applications."""

    application: Application
    candidate: Candidate
    vacancy: Vacancy
    slots: Slots
    others: tuple[Application, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedApplication:
    """An application before and after it closed with its vacancy."""

    before: Application
    after: Application


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementOutcome:
    """All that one placement changes."""

    placement: Placement
    application: Application
    slots: Slots
    vacancy: Vacancy
    closed_applications: tuple[ClosedApplication, ...]
    events: list[PlacementConfirmed]


def require_version(version: int | None) -> int:
    """Return the version of the application that is placed. Raises VersionRequired without one."""
    if version is None:
        raise VersionRequired
    return version


def place_application(
    placement_id: str, facts: PlacementFacts, terms: PlacementTerms, actor: str, now: datetime
) -> PlacementOutcome:
    """Place the accepted application on one of the slots.

    With the last slot the vacancy closes, and its other live applications become VACANCY_CLOSED.
    Raises CandidateGone, NotFreeToWork, StartRefused, ConsentMissing, ApplicationStepRefused,
    SlotsFull.
    """
    require_free_to_work(facts.candidate, terms)
    if find_employer_consent_id(facts.application, now) is None:
        raise ConsentMissing
    placed = applications.take_step(
        facts.application, ApplicationState.PLACED, Side.RULE, actor, now
    )
    slots = vacancies.take_slot(facts.slots)
    vacancy = facts.vacancy
    closed_applications: tuple[ClosedApplication, ...] = ()
    if slots.left == 0 and vacancy.state is VacancyState.OPEN:
        vacancy = vacancies.close(vacancy, Closing.FILLED, actor, now)
        closed_applications = tuple(
            _close_with_vacancy(other, actor, now)
            for other in facts.others
            if other.live and other.id != placed.id
        )
    placement = Placement(
        id=placement_id,
        candidate_id=facts.candidate.id,
        visibility=facts.candidate.visibility,
        terms=terms,
        source=PlacementSource.APPLICATION,
        employer_id=placed.employer_id,
        vacancy_id=vacancy.id,
        application_id=placed.id,
        confirmed_at=now,
        confirmed_by=actor,
    )
    return PlacementOutcome(
        placement=placement,
        application=placed,
        slots=slots,
        vacancy=vacancy,
        closed_applications=closed_applications,
        events=[build_confirmation(placement)],
    )


def place_by_own_effort(
    placement_id: str, candidate: Candidate, terms: PlacementTerms, actor: str, now: datetime
) -> tuple[Placement, list[PlacementConfirmed]]:
    """Return a placement that the person found without an application here, and its event.

    Raises CandidateGone, NotFreeToWork, StartRefused.
    """
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
    """Require a release or a permit to work outside.

    Raises CandidateGone, NotFreeToWork without both, StartRefused when work begins before the
    release without a permit.
    """
    require_present(candidate)
    if terms.permit_number:
        return
    if candidate.stay.custody is not Custody.RELEASED:
        raise NotFreeToWork
    if terms.started_on < candidate.stay.effective_on:
        raise StartRefused


def build_confirmation(placement: Placement) -> PlacementConfirmed:
    """Return the event of a placement: no employer, no wage, no name."""
    return PlacementConfirmed(
        participant_ref=placement.candidate_id,
        placement_id=placement.id,
        kind=placement.terms.kind.value,
        started_on=placement.terms.started_on,
    )


def _close_with_vacancy(application: Application, actor: str, now: datetime) -> ClosedApplication:
    closed = applications.take_step(
        application, ApplicationState.VACANCY_CLOSED, Side.RULE, actor, now
    )
    return ClosedApplication(before=application, after=closed)
