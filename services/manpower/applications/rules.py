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


class State(StrEnum):
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


LIVE = frozenset(
    {
        State.DRAFT,
        State.CONSENTED,
        State.SUBMITTED,
        State.SELECTED_FOR_INTERVIEW,
        State.INTERVIEW_BOOKED,
        State.OFFERED,
        State.ACCEPTED,
    }
)
SENT = frozenset(State) - {State.DRAFT, State.CONSENTED}
"""What an employer may know of: the application was sent."""


class Side(StrEnum):
    """Whose step it is."""

    OFFICER = "officer"
    DINAS = "dinas"
    EMPLOYER = "employer"
    RULE = "rule"


class Reason(StrEnum):
    """Why an application was unsuccessful: a closed list without custody reasons."""

    SKILLS = "skills"
    EXPERIENCE = "experience"
    LOCATION = "location"
    SCHEDULE = "schedule"
    DID_NOT_ATTEND = "did_not_attend"
    ANOTHER_CANDIDATE = "another_candidate"
    DECLINED_BY_CANDIDATE = "declined_by_candidate"


class Withdrawal(StrEnum):
    """Why an application was withdrawn."""

    CANDIDATE = "candidate"
    CONSENT_ENDED = "consent_ended"
    MERGED = "merged"


class Flag(StrEnum):
    """What an officer should look at."""

    SKILL_LOST = "skill_lost"


_INSIDE = frozenset({Side.OFFICER})
_ANY_HAND = frozenset({Side.OFFICER, Side.DINAS, Side.EMPLOYER})
_RULE = frozenset({Side.RULE})
_BEFORE_OFFER = (State.SUBMITTED, State.SELECTED_FOR_INTERVIEW, State.INTERVIEW_BOOKED)

STEPS: dict[tuple[State, State], frozenset[Side]] = {
    (State.DRAFT, State.CONSENTED): _INSIDE,
    (State.CONSENTED, State.SUBMITTED): _INSIDE,
    (State.SUBMITTED, State.SELECTED_FOR_INTERVIEW): _ANY_HAND,
    (State.SELECTED_FOR_INTERVIEW, State.INTERVIEW_BOOKED): _ANY_HAND,
    (State.INTERVIEW_BOOKED, State.OFFERED): _ANY_HAND,
    (State.OFFERED, State.ACCEPTED): _ANY_HAND,
    (State.ACCEPTED, State.PLACED): _RULE,
    **{(state, State.UNSUCCESSFUL): _ANY_HAND for state in _BEFORE_OFFER},
    **{(state, State.WITHDRAWN): _INSIDE | _RULE for state in LIVE},
    **{(state, State.VACANCY_CLOSED): _RULE for state in LIVE},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step, as it is kept for ever."""

    at: datetime
    before: State | None
    to: State
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
    state: State = State.DRAFT
    live: bool = True
    flags: frozenset[Flag] = frozenset()
    history: tuple[Step, ...] = ()


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
        history=(Step(at=now, before=None, to=State.DRAFT, actor=actor, side=Side.OFFICER),),
    )


def step(
    application: Application, to: State, side: Side, actor: str, now: datetime, reason: str = ""
) -> Application:
    """The application at its next state. ApplicationStepRefused when the table has no such step, NotYourStep when it is another side's."""
    sides = STEPS.get((application.state, to))
    if sides is None:
        raise ApplicationStepRefused(state_now=application.state.value)
    if side not in sides:
        raise NotYourStep
    if to is State.UNSUCCESSFUL and reason not in set(Reason):
        raise ReasonMissing(allowed=[each.value for each in Reason])
    taken = Step(at=now, before=application.state, to=to, actor=actor, side=side, reason=reason)
    return replace(application, state=to, live=to in LIVE, history=(*application.history, taken))


def consent(application: Application, actor: str, now: datetime) -> Application:
    """The application tied to the consent for its employer that is in force now; ConsentMissing when there is none."""
    share = employer_share(application, now)
    if share is None:
        raise ConsentMissing
    return replace(step(application, State.CONSENTED, Side.OFFICER, actor, now), consent_id=share)


def submit(application: Application, vacancy: Vacancy, actor: str, now: datetime) -> Application:
    """The application sent to the employer: its consent must still be in force and the vacancy still open."""
    if application.consent_id is None or employer_share(application, now) != application.consent_id:
        raise ConsentMissing
    require_open(vacancy, now)
    return step(application, State.SUBMITTED, Side.OFFICER, actor, now)


def employer_share(application: Application, now: datetime) -> str | None:
    """The consent in force now that lets this application's employer know of the candidate."""
    for share in application.visibility.shares:
        if (
            share.purpose is Purpose.EMPLOYER_SHARE
            and share.recipient == application.employer_id
            and share.valid(now)
        ):
            return share.consent_id
    return None


def flagged(
    application: Application, held: frozenset[str], required: frozenset[str]
) -> Application:
    """The live application, flagged while a unit that the vacancy requires is not held."""
    lost = bool(required - held)
    flags = application.flags | {Flag.SKILL_LOST} if lost else application.flags - {Flag.SKILL_LOST}
    return application if flags == application.flags else replace(application, flags=flags)


def seen_by(application: Application) -> Visibility:
    """Who outside sees it: nobody before it is sent, and of the employers only its own."""
    own = (
        share
        for share in application.visibility.shares
        if share.purpose is not Purpose.EMPLOYER_SHARE or share.recipient == application.employer_id
    )
    return replace(application.visibility, shares=tuple(own) if application.state in SENT else ())


def doubled(applications: Iterable[Application]) -> list[Application]:
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
