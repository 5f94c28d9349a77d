"""What is allowed: job applications. Their states change only along `STEPS`, and every step is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from chassis.errors import Conflict, Forbidden, NotFound, Refused
from services.manpower import texts
from services.manpower.candidates.rules import Candidate, require_present
from services.manpower.vacancies.rules import Vacancy, require_open
from services.manpower.visibility.rules import Purpose, Visibility


class ApplicationUnknown(NotFound):
    """No such application for this caller."""


class ApplicationStepRefused(Conflict):
    """The table has no such step."""

    title = texts.APPLICATION_STEP_REFUSED


class NotYourStep(Forbidden):
    """The step exists, but is another side's."""

    title = texts.NOT_YOUR_STEP


class AlreadyApplied(Conflict):
    """A live application of this candidate to this vacancy exists."""

    title = texts.ALREADY_APPLIED


class ConsentMissing(Refused):
    """No consent for this employer is in force."""

    title = texts.CONSENT_MISSING


class ReasonMissing(Refused):
    """An unsuccessful application needs a reason of the closed list."""

    title = texts.REASON_MISSING
    field = "reason"


class ApplicationState(StrEnum):
    """Where an application stands."""

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
"""What an employer may know of: the application was sent."""


class Side(StrEnum):
    """Whose step it is."""

    OFFICER = "officer"
    DINAS = "dinas"
    EMPLOYER = "employer"
    RULE = "rule"


class UnsuccessfulReason(StrEnum):
    """Why an application was unsuccessful: a closed list without custody reasons."""

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
    """What an officer should look at."""

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
    """One step, as it is kept for ever."""

    at: datetime
    before: ApplicationState | None
    to: ApplicationState
    actor: str
    side: Side
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A candidate's application to one vacancy. `live` mirrors the state for the unique index."""

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


def draft(
    application_id: str,
    candidate: Candidate,
    vacancy: Vacancy,
    others: Iterable[Application],
    actor: str,
    now: datetime,
) -> Application:
    """A new draft; VacancyNotOpen, AlreadyApplied or CandidateGone say why not."""
    require_present(candidate)
    require_open(vacancy, now)
    if any(other.live and other.vacancy_id == vacancy.id for other in others):
        raise AlreadyApplied
    return Application(
        id=application_id,
        candidate_id=candidate.id,
        vacancy_id=vacancy.id,
        employer_id=vacancy.employer_id,
        visibility=candidate.visibility,
        history=(
            ApplicationStep(
                at=now, before=None, to=ApplicationState.DRAFT, actor=actor, side=Side.OFFICER
            ),
        ),
    )


def take_step(
    application: Application,
    to: ApplicationState,
    side: Side,
    actor: str,
    now: datetime,
    reason: str = "",
) -> Application:
    """The application at its next state. ApplicationStepRefused when the table has no such step, NotYourStep when it is another side's."""
    sides = TRANSITIONS.get((application.state, to))
    if sides is None:
        raise ApplicationStepRefused(state_now=application.state.value)
    if side not in sides:
        raise NotYourStep
    if to is ApplicationState.UNSUCCESSFUL and reason not in set(UnsuccessfulReason):
        raise ReasonMissing(allowed=[each.value for each in UnsuccessfulReason])
    taken = ApplicationStep(
        at=now, before=application.state, to=to, actor=actor, side=side, reason=reason
    )
    return replace(
        application, state=to, live=to in LIVE_STATES, history=(*application.history, taken)
    )


def attach_consent(application: Application, actor: str, now: datetime) -> Application:
    """The application tied to the consent for its employer that is in force now; ConsentMissing when there is none."""
    share = find_employer_consent_id(application, now)
    if share is None:
        raise ConsentMissing
    return replace(
        take_step(application, ApplicationState.CONSENTED, Side.OFFICER, actor, now),
        consent_id=share,
    )


def submit(application: Application, vacancy: Vacancy, actor: str, now: datetime) -> Application:
    """The application sent to the employer: its consent must still be in force and the vacancy still open."""
    if (
        application.consent_id is None
        or find_employer_consent_id(application, now) != application.consent_id
    ):
        raise ConsentMissing
    require_open(vacancy, now)
    return take_step(application, ApplicationState.SUBMITTED, Side.OFFICER, actor, now)


def find_employer_consent_id(application: Application, now: datetime) -> str | None:
    """The consent in force now that lets this application's employer know of the candidate."""
    for share in application.visibility.shares:
        if (
            share.purpose is Purpose.EMPLOYER_SHARE
            and share.recipient == application.employer_id
            and share.is_in_force(now)
        ):
            return share.consent_id
    return None


def update_skill_flag(
    application: Application, held: frozenset[str], required: frozenset[str]
) -> Application:
    """The live application, flagged while a unit that the vacancy requires is not held."""
    lost = bool(required - held)
    flags = application.flags | {Flag.SKILL_LOST} if lost else application.flags - {Flag.SKILL_LOST}
    return application if flags == application.flags else replace(application, flags=flags)


def outside_visibility(application: Application) -> Visibility:
    """Who outside sees it: nobody before it is sent, and of the employers only its own."""
    own = (
        share
        for share in application.visibility.shares
        if share.purpose is not Purpose.EMPLOYER_SHARE or share.recipient == application.employer_id
    )
    return replace(
        application.visibility, shares=tuple(own) if application.state in SENT_STATES else ()
    )


def find_duplicates(applications: Iterable[Application]) -> list[Application]:
    """Of one person's live applications, those to a vacancy to which an older one is live (after a merge)."""
    live = sorted(
        (each for each in applications if each.live),
        key=lambda each: (
            each.history[0].at if each.history else datetime.max.replace(tzinfo=UTC),
            each.id,
        ),
    )
    kept: set[str] = set()
    superfluous: list[Application] = []
    for each in live:
        if each.vacancy_id in kept:
            superfluous.append(each)
        kept.add(each.vacancy_id)
    return superfluous
