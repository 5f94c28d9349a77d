"""Rules of job applications.

Their states change only along `TRANSITIONS`, and every step is kept.
Not here: work that was found (placements).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from chassis.caller import Caller
from chassis.errors import Conflict, Forbidden, NotFound, Refused
from services.manpower.candidates.rules import Candidate, require_present
from services.manpower.settings import TEXTS
from services.manpower.vacancies.rules import Vacancy, require_open
from services.manpower.visibility.rules import (
    Column,
    Purpose,
    Subject,
    Visibility,
    columns_for,
    restrict_to_subject,
)


class ApplicationUnknown(NotFound):
    """No such application for this caller."""


class ApplicationStepRefused(Conflict):
    """`TRANSITIONS` has no such step."""

    title = TEXTS["errors.application_step_refused"]


class NotYourStep(Forbidden):
    """The step exists, but another side takes it."""

    title = TEXTS["errors.not_your_step"]


class AlreadyApplied(Conflict):
    """The candidate already has a live application to this vacancy."""

    title = TEXTS["errors.already_applied"]


class ConsentMissing(Refused):
    """No consent for this employer is in force."""

    title = TEXTS["errors.consent_missing"]


class ReasonMissing(Refused):
    """An unsuccessful application needs a reason of `UnsuccessfulReason`."""

    title = TEXTS["errors.reason_missing"]
    field = "reason"


class ApplicationState(StrEnum):
    """The state of an application."""

    DRAFT = "DRAFT"
    CONSENTED = "CONSENTED"
    SUBMITTED = "SUBMITTED"
    SELECTED_FOR_INTERVIEW = "SELECTED_FOR_INTERVIEW"
    INTERVIEW_BOOKED = "INTERVIEW_BOOKED"
    OFFERED = "OFFERED"
    ACCEPTED = "ACCEPTED"
    PLACED = "PLACED"
    UNSUCCESSFUL = "UNSUCCESSFUL"
    WITHDRAWN = "WITHDRAWN"
    VACANCY_CLOSED = "VACANCY_CLOSED"


LIVE_STATES = frozenset(
    {
        ApplicationState.DRAFT,
        ApplicationState.CONSENTED,
        ApplicationState.SUBMITTED,
        ApplicationState.SELECTED_FOR_INTERVIEW,
        ApplicationState.INTERVIEW_BOOKED,
        ApplicationState.OFFERED,
        ApplicationState.ACCEPTED,
    }
)
SENT_STATES = frozenset(ApplicationState) - {ApplicationState.DRAFT, ApplicationState.CONSENTED}
"""States of an application that was sent; employers may know of these only."""


class Side(StrEnum):
    """The side that takes a step."""

    OFFICER = "officer"
    DINAS = "dinas"
    EMPLOYER = "employer"
    RULE = "rule"


class UnsuccessfulReason(StrEnum):
    """Why an application was unsuccessful; the list has no reasons of custody."""

    SKILLS = "skills"
    EXPERIENCE = "experience"
    LOCATION = "location"
    SCHEDULE = "schedule"
    DID_NOT_ATTEND = "did_not_attend"
    ANOTHER_CANDIDATE = "another_candidate"
    DECLINED_BY_CANDIDATE = "declined_by_candidate"


class WithdrawalReason(StrEnum):
    """Why an application was withdrawn."""

    CANDIDATE = "candidate"
    CONSENT_ENDED = "consent_ended"
    MERGED = "merged"


class Flag(StrEnum):
    """A mark on an application that an officer must look at."""

    SKILL_LOST = "skill_lost"


_OFFICER_ONLY = frozenset({Side.OFFICER})
_ANY_PARTY = frozenset({Side.OFFICER, Side.DINAS, Side.EMPLOYER})
_RULE_ONLY = frozenset({Side.RULE})
_BEFORE_OFFER = (
    ApplicationState.SUBMITTED,
    ApplicationState.SELECTED_FOR_INTERVIEW,
    ApplicationState.INTERVIEW_BOOKED,
)

TRANSITIONS: dict[tuple[ApplicationState, ApplicationState], frozenset[Side]] = {
    (ApplicationState.DRAFT, ApplicationState.CONSENTED): _OFFICER_ONLY,
    (ApplicationState.CONSENTED, ApplicationState.SUBMITTED): _OFFICER_ONLY,
    (ApplicationState.SUBMITTED, ApplicationState.SELECTED_FOR_INTERVIEW): _ANY_PARTY,
    (ApplicationState.SELECTED_FOR_INTERVIEW, ApplicationState.INTERVIEW_BOOKED): _ANY_PARTY,
    (ApplicationState.INTERVIEW_BOOKED, ApplicationState.OFFERED): _ANY_PARTY,
    (ApplicationState.OFFERED, ApplicationState.ACCEPTED): _ANY_PARTY,
    (ApplicationState.ACCEPTED, ApplicationState.PLACED): _RULE_ONLY,
    **{(state, ApplicationState.UNSUCCESSFUL): _ANY_PARTY for state in _BEFORE_OFFER},
    **{(state, ApplicationState.WITHDRAWN): _OFFICER_ONLY | _RULE_ONLY for state in LIVE_STATES},
    **{(state, ApplicationState.VACANCY_CLOSED): _RULE_ONLY for state in LIVE_STATES},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationStep:
    """One step; it is kept permanently."""

    at: datetime
    before: ApplicationState | None
    to: ApplicationState
    actor: str
    side: Side
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A candidate's application to one vacancy.

    `live` repeats what the state says, for the unique index.
    """

    id: str
    version: int = 0
    candidate_id: str
    vacancy_id: str
    employer_id: str
    visibility: Visibility
    consent_id: str | None = None
    state: ApplicationState = ApplicationState.DRAFT
    live: bool = True
    flags: frozenset[Flag] = frozenset()
    history: tuple[ApplicationStep, ...] = ()

    @property
    def outside_visibility(self) -> Visibility:
        """The visibility for outside readers.

        They see the application only after it was sent. Of the employers, only its own sees it.
        """
        if self.state not in SENT_STATES:
            return replace(self.visibility, shares=())
        opened = restrict_to_subject(self.visibility, Subject.APPLICATION)
        shares = tuple(
            share
            for share in opened.shares
            if share.purpose is not Purpose.EMPLOYER_SHARE or share.recipient == self.employer_id
        )
        return replace(opened, shares=shares)


SIDES_BY_ROLE: Mapping[str, Side] = {
    "case_officer": Side.OFFICER,
    "dinas_placement": Side.DINAS,
    "employer": Side.EMPLOYER,
}


def side_of(role: str) -> Side:
    """Return the side of a caller's role. Raises NotYourStep for any other role."""
    side = SIDES_BY_ROLE.get(role)
    if side is None:
        raise NotYourStep
    return side


def require_visible_steps(application: Application, caller: Caller, now: datetime) -> None:
    """Raise NotYourStep when the caller may not see the steps: a refused one would name them."""
    visibility = application.outside_visibility
    if Column.STEPS not in columns_for(caller, visibility, Subject.APPLICATION, now):
        raise NotYourStep


def draft(
    application_id: str,
    candidate: Candidate,
    vacancy: Vacancy,
    others: Iterable[Application],
    actor: str,
    now: datetime,
) -> Application:
    """Return a new draft. `others` are the candidate's other applications.

    Raises CandidateGone, VacancyNotOpen, AlreadyApplied.
    """
    require_present(candidate)
    require_open(vacancy, now)
    if any(other.live and other.vacancy_id == vacancy.id for other in others):
        raise AlreadyApplied
    first_step = ApplicationStep(
        at=now, before=None, to=ApplicationState.DRAFT, actor=actor, side=Side.OFFICER
    )
    return Application(
        id=application_id,
        candidate_id=candidate.id,
        vacancy_id=vacancy.id,
        employer_id=vacancy.employer_id,
        visibility=candidate.visibility,
        history=(first_step,),
    )


def take_step(
    application: Application,
    to: ApplicationState,
    side: Side,
    actor: str,
    now: datetime,
    reason: str = "",
) -> Application:
    """Return the application at its next state.

    Raises ApplicationStepRefused when `TRANSITIONS` has no such step, NotYourStep when another
    side takes it, ReasonMissing when it needs a reason.
    """
    sides = TRANSITIONS.get((application.state, to))
    if sides is None:
        raise ApplicationStepRefused(state_now=application.state.value)
    if side not in sides:
        raise NotYourStep
    if to is ApplicationState.UNSUCCESSFUL and reason not in set(UnsuccessfulReason):
        raise ReasonMissing(allowed=[allowed.value for allowed in UnsuccessfulReason])
    step = ApplicationStep(
        at=now, before=application.state, to=to, actor=actor, side=side, reason=reason
    )
    history = (*application.history, step)
    return replace(application, state=to, live=to in LIVE_STATES, history=history)


def is_consent_step(application: Application, to: ApplicationState, side: Side) -> bool:
    """Return whether an officer ties the draft to a consent by this step."""
    is_step = application.state is ApplicationState.DRAFT and to is ApplicationState.CONSENTED
    return is_step and side is Side.OFFICER


def is_submission(application: Application, to: ApplicationState, side: Side) -> bool:
    """Return whether an officer sends the application to the employer by this step."""
    is_step = application.state is ApplicationState.CONSENTED and to is ApplicationState.SUBMITTED
    return is_step and side is Side.OFFICER


def attach_consent(application: Application, actor: str, now: datetime) -> Application:
    """Return the application tied to the consent for its employer that is in force now.

    Raises ConsentMissing when there is none.
    """
    consent_id = find_employer_consent_id(application, now)
    if consent_id is None:
        raise ConsentMissing
    consented = take_step(application, ApplicationState.CONSENTED, Side.OFFICER, actor, now)
    return replace(consented, consent_id=consent_id)


def submit(application: Application, vacancy: Vacancy, actor: str, now: datetime) -> Application:
    """Return the application as sent to the employer.

    Raises ConsentMissing when its consent is no longer in force, VacancyNotOpen.
    """
    if application.consent_id is None:
        raise ConsentMissing
    if find_employer_consent_id(application, now) != application.consent_id:
        raise ConsentMissing
    require_open(vacancy, now)
    return take_step(application, ApplicationState.SUBMITTED, Side.OFFICER, actor, now)


def find_employer_consent_id(application: Application, now: datetime) -> str | None:
    """Return the consent in force that lets this application's employer know of the candidate."""
    for share in application.visibility.shares:
        is_for_employer = (
            share.purpose is Purpose.EMPLOYER_SHARE and share.recipient == application.employer_id
        )
        if is_for_employer and share.is_in_force(now):
            return share.consent_id
    return None


def update_skill_flag(
    application: Application, held: frozenset[str], required: frozenset[str]
) -> Application:
    """Return the application, flagged if the candidate does not hold a unit that is required."""
    flags = application.flags - {Flag.SKILL_LOST}
    if not required.issubset(held):
        flags = application.flags | {Flag.SKILL_LOST}
    return application if flags == application.flags else replace(application, flags=flags)


def find_duplicates(applications: Iterable[Application]) -> list[Application]:
    """Return one person's live applications to a vacancy that has an older live one of theirs.

    A merge of two records makes such duplicates.
    """
    live = [application for application in applications if application.live]
    vacancy_ids: set[str] = set()
    duplicates: list[Application] = []
    for application in sorted(live, key=_age_order):
        if application.vacancy_id in vacancy_ids:
            duplicates.append(application)
        vacancy_ids.add(application.vacancy_id)
    return duplicates


def _age_order(application: Application) -> tuple[datetime, str]:
    if not application.history:
        return datetime.max.replace(tzinfo=UTC), application.id
    return application.history[0].at, application.id
