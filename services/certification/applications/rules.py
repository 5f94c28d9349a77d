"""Rules of applications, from the completed course to the panel's decision.

Source: certification section 8. Not here: FR.APL.01 and FR.APL.02 (forms), results of units
(results), what the panel may decide (panels).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.caller import Actor
from chassis.errors import Conflict, DomainError, Forbidden, NotFound, Refused, raise_first
from services.certification.assessors.rules import Assessor
from services.certification.events import ApplicationOpened, CompetencyAssessed, UnitResult
from services.certification.origins.rules import Origin
from services.certification.reasons import Reason, require_no_reasons
from services.certification.schemes.rules import Scheme
from services.certification.settings import TEXTS
from services.certification.venues.rules import Venue


class ApplicationUnknown(NotFound):
    title = TEXTS["errors.application_unknown"]


class ApplicationStateDiffers(Conflict):
    title = TEXTS["errors.application_state_differs"]


class UnitsDiffer(Refused):
    title = TEXTS["errors.units_differ"]
    field = "units"


class ResultsMissing(Refused):
    title = TEXTS["errors.results_missing"]
    field = "units"


class NameOwnConfirmation(Forbidden):
    title = TEXTS["errors.name_own_confirmation"]


class NameNotFetched(Conflict):
    title = TEXTS["errors.name_not_fetched"]


class NameDiffers(Refused):
    title = TEXTS["errors.name_differs"]
    field = "name"


class PersonUnknown(Conflict):
    title = TEXTS["errors.person_unknown"]


class ApplicationState(StrEnum):
    """The state of an application."""

    OPEN = "open"
    ASSIGNED = "assigned"
    RECOMMENDED = "recommended"
    COMPETENT = "competent"
    NOT_YET_COMPETENT = "not_yet_competent"


class CompetencyResult(StrEnum):
    """The result of one unit: kompeten (K) or belum kompeten (BK)."""

    K = "K"
    BK = "BK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A piece of evidence that the candidate brought, as FR.APL.01 lists it."""

    kind: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationForm:
    """FR.APL.01: the application with its evidence, signed by the candidate on that day."""

    evidence: tuple[Evidence, ...]
    signed_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfAssessment:
    """FR.APL.02: whether the candidate claims to be competent, unit by unit."""

    units: dict[str, bool]
    signed_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedName:
    """The name that will be signed, encrypted in `sealed`.

    One person requests it from training, another confirms it (R7).
    """

    sealed: str
    fetched_by: str
    fetched_at: datetime
    fetched_for: str = ""
    confirmed_by: str | None = None
    confirmed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Who assesses where and on which day."""

    assessor_id: str
    met_no: str
    assessor_name: str
    venue_id: str
    held_on: date
    conflict_free: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """The assessor's recommendation. Only the panel decides."""

    competent: bool
    by: str
    at: datetime
    on_behalf_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """One candidate's application for one certificate.

    `scheme_id` is the edition, frozen at assignment. `assessor_id` repeats the one of the
    assignment, because it scopes what an assessor sees.
    """

    id: str
    version: int = 0
    lsp_id: str
    origin_ref: str
    scheme_ref: str
    scheme_id: str | None = None
    opened_on: date
    state: ApplicationState = ApplicationState.OPEN
    form: ApplicationForm | None = None
    self_assessment: SelfAssessment | None = None
    name: PrintedName | None = None
    assessor_id: str | None = None
    assignment: Assignment | None = None
    conflicted: frozenset[str] = frozenset()
    results: dict[str, CompetencyResult]
    recommendation: Recommendation | None = None
    panel_decision_id: str | None = None


def open_application(
    application_id: str, origin: Origin, scheme: Scheme, on: date
) -> tuple[Application, list[ApplicationOpened]]:
    """Open the application of a completed course."""
    application = Application(
        id=application_id,
        lsp_id=scheme.lsp_id,
        origin_ref=origin.id,
        scheme_ref=scheme.ref,
        opened_on=on,
        results={},
    )
    event = ApplicationOpened(
        participant_ref=origin.participant_ref,
        application_id=application.id,
        scheme_id=scheme.ref,
        opened_on=on,
    )
    return application, [event]


def reasons_against_assignment(application: Application, scheme: Scheme) -> list[Reason]:
    """Return APPLICATION_INCOMPLETE unless both forms are complete.

    FR.APL.01 needs evidence, FR.APL.02 an answer for every unit.
    """
    form = application.form
    assessment = application.self_assessment
    has_evidence = form is not None and len(form.evidence) > 0
    has_answers = assessment is not None and assessment.units.keys() == scheme.unit_codes
    return [] if has_evidence and has_answers else [Reason.APPLICATION_INCOMPLETE]


def require_assignable(
    application: Application, newest: Scheme | None, assessor: Assessor, venue: Venue
) -> Scheme:
    """Return the edition to assess by. Raises ApplicationStateDiffers.

    The scheme must be published, and assessor and venue must belong to the application's LSP.
    """
    is_one_lsp = assessor.lsp_id == venue.lsp_id == application.lsp_id
    if newest is None or not is_one_lsp:
        raise ApplicationStateDiffers(state=application.state.value)
    return newest


def assign(
    application: Application, scheme: Scheme, assignment: Assignment, reasons: list[Reason]
) -> Application:
    """Assign the assessment and freeze the scheme's edition.

    `reasons` are those of assessor, venue, schedule and licence. Raises RulesBroken with all
    reasons.
    """
    _require_state(application, ApplicationState.OPEN, ApplicationState.ASSIGNED)
    if assignment.assessor_id in application.conflicted:
        reasons = [*reasons, Reason.ASSESSOR_CONFLICT]
    require_no_reasons([*reasons_against_assignment(application, scheme), *reasons])
    return replace(
        application,
        state=ApplicationState.ASSIGNED,
        scheme_id=scheme.id,
        assignment=assignment,
        assessor_id=assignment.assessor_id,
        results={},
    )


def declare_conflict(application: Application, *, has_conflict: bool) -> Application:
    """Store the assessor's declaration on conflicts of interest.

    A conflict ends the assignment, and this assessor cannot be assigned again.
    """
    _require_state(application, ApplicationState.ASSIGNED)
    assignment = _require_assignment(application)
    if not has_conflict:
        return replace(application, assignment=replace(assignment, conflict_free=True))
    return replace(
        application,
        state=ApplicationState.OPEN,
        scheme_id=None,
        assignment=None,
        assessor_id=None,
        conflicted=application.conflicted | {assignment.assessor_id},
        results={},
    )


def recommend(
    application: Application,
    scheme: Scheme,
    origin: Origin,
    *,
    competent: bool,
    by: Actor,
    now: datetime,
) -> tuple[Application, list[CompetencyAssessed]]:
    """Store the assessor's recommendation, once every unit has a result.

    Raises ResultsMissing, and RulesBroken when the result of a unit contradicts `competent`.
    """
    _require_state(application, ApplicationState.ASSIGNED)
    codes = [unit.code for unit in scheme.terms.units]
    if application.results.keys() != set(codes):
        raise ResultsMissing
    if competent:
        require_no_reasons(reasons_against_competence(application, scheme))
    recommendation = Recommendation(
        competent=competent, by=by.by, at=now, on_behalf_of=by.on_behalf_of
    )
    recommended = replace(
        application, state=ApplicationState.RECOMMENDED, recommendation=recommendation
    )
    units = tuple(UnitResult(code=code, result=application.results[code].value) for code in codes)
    event = CompetencyAssessed(
        participant_ref=origin.participant_ref,
        application_id=application.id,
        scheme_id=application.scheme_ref,
        units=units,
        assessed_on=_require_assignment(application).held_on,
    )
    return recommended, [event]


def reasons_against_competence(application: Application, scheme: Scheme) -> list[Reason]:
    """Return UNIT_NOT_COMPETENT unless every unit is K.

    Competence in only some of the units does not certify the scheme (R11).
    """
    results = [application.results.get(unit.code) for unit in scheme.terms.units]
    if all(result is CompetencyResult.K for result in results):
        return []
    return [Reason.UNIT_NOT_COMPETENT]


def require_known_name(name: str | None) -> str:
    """Return the name. Raises PersonUnknown when training does not know the person."""
    if name is None:
        raise PersonUnknown
    return name


def propose_name(application: Application, sealed: str, by: Actor, now: datetime) -> Application:
    """Store the name as training holds it: encrypted, not confirmed yet."""
    _require_undecided(application)
    name = PrintedName(sealed=sealed, fetched_by=by.by, fetched_at=now, fetched_for=by.on_behalf_of)
    return replace(application, name=name)


def require_fetched_name(application: Application) -> PrintedName:
    """Return the name that would be signed. Raises NameNotFetched."""
    if application.name is None:
        raise NameNotFetched
    return application.name


def confirm_name(application: Application, by: Actor, now: datetime) -> Application:
    """Store the confirmation of the name by a second person.

    Raises NameNotFetched, and NameOwnConfirmation when the confirmer requested the name or one of
    the two acts for the other.
    """
    _require_undecided(application)
    name = require_fetched_name(application)
    requester = Actor(name.fetched_by, name.fetched_for)
    if by.conflicts_with(requester):
        raise NameOwnConfirmation
    return replace(application, name=replace(name, confirmed_by=by.by, confirmed_at=now))


def require_same_name(stored: str, confirmed: str) -> None:
    """Raise NameDiffers unless the confirmed name equals the stored one."""
    if stored != confirmed:
        raise NameDiffers


def decide(application: Application, panel_decision_id: str, *, competent: bool) -> Application:
    """Store the panel's decision. The panel's own rules are in `panels`."""
    return replace(
        application,
        state=ApplicationState.COMPETENT if competent else ApplicationState.NOT_YET_COMPETENT,
        panel_decision_id=panel_decision_id,
    )


def _require_undecided(application: Application) -> None:
    _require_state(
        application, ApplicationState.OPEN, ApplicationState.ASSIGNED, ApplicationState.RECOMMENDED
    )


def errors_of_state(application: Application, *states: ApplicationState) -> list[DomainError]:
    """Return ApplicationStateDiffers unless the application is in one of these states."""
    if application.state in states:
        return []
    return [ApplicationStateDiffers(state=application.state.value)]


def _require_state(application: Application, *states: ApplicationState) -> None:
    raise_first(errors_of_state(application, *states))


def _require_assignment(application: Application) -> Assignment:
    if application.assignment is None:
        raise ApplicationStateDiffers(state=application.state.value)
    return application.assignment
