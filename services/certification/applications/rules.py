"""What is allowed: applications, from the completed course to the panel's decision (certification section 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.caller import Actor
from chassis.errors import Conflict, Forbidden, NotFound, Refused
from services.certification.events import ApplicationOpened, CompetencyAssessed, UnitResult
from services.certification.origins.rules import Origin
from services.certification.reasons import Reason, RulesBroken, require_no_reasons
from services.certification.schemes.rules import Scheme


class ApplicationUnknown(NotFound):
    title = "Permohonan sertifikasi tidak ditemukan"


class ApplicationStateDiffers(Conflict):
    title = "Keadaan permohonan tidak memungkinkan langkah ini"


class UnitsDiffer(Refused):
    title = "Unit yang disebut bukan unit skema ini"
    field = "units"


class ResultsMissing(Refused):
    title = "Masih ada unit yang belum dinilai"
    field = "units"


class NotYetHeld(Refused):
    title = "Hari asesmen belum tiba"


class NameOwnConfirmation(Forbidden):
    title = "Nama harus dikonfirmasi oleh orang lain daripada yang memintanya"


class NameNotFetched(Conflict):
    title = "Nama belum diminta"


class ApplicationState(StrEnum):
    """How far an application has come."""

    OPEN = "open"
    ASSIGNED = "assigned"
    RECOMMENDED = "recommended"
    COMPETENT = "competent"
    NOT_YET_COMPETENT = "not_yet_competent"


class Result(StrEnum):
    """Kompeten, belum kompeten."""

    K = "K"
    BK = "BK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A piece of evidence that the candidate brought, as FR.APL.01 lists it."""

    kind: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationForm:
    """FR.APL.01: the application itself, with its evidence, signed by the candidate on that day."""

    evidence: tuple[Evidence, ...]
    signed_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfAssessment:
    """FR.APL.02: whether the candidate thinks to be competent, unit by unit."""

    units: dict[str, bool]
    signed_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedName:
    """The name that will be signed, sealed. Asked for by one person, confirmed by another (R7)."""

    sealed: str
    fetched_by: str
    fetched_at: datetime
    fetched_for: str = ""
    confirmed_by: str | None = None
    confirmed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Who assesses where and when; the scheme's edition is frozen with it."""

    assessor_id: str
    met_no: str
    assessor_name: str
    venue_id: str
    held_on: date
    conflict_free: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What the assessor recommends. Only the panel decides."""

    competent: bool
    by: str
    at: datetime
    on_behalf_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """One candidate's way to one certificate. `scheme_id` (the edition) is frozen at assignment; `assessor_id` is the assignment's, for the scope."""

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
    results: dict[str, Result]
    recommendation: Recommendation | None = None
    panel_decision_id: str | None = None


def open_application(
    application_id: str, origin: Origin, scheme: Scheme, on: date
) -> tuple[Application, list[ApplicationOpened]]:
    """The application that a completed course opens."""
    application = Application(
        id=application_id,
        lsp_id=scheme.lsp_id,
        origin_ref=origin.id,
        scheme_ref=scheme.ref,
        opened_on=on,
        results={},
    )
    return application, [
        ApplicationOpened(
            participant_ref=origin.participant_ref,
            application_id=application.id,
            scheme_id=scheme.ref,
            opened_on=on,
        )
    ]


def submit_form(application: Application, form: ApplicationForm) -> Application:
    """FR.APL.01 as it is now; it may change until the assignment."""
    _require_state(application, ApplicationState.OPEN)
    return replace(application, form=form)


def submit_self_assessment(
    application: Application, assessment: SelfAssessment, newest: Scheme
) -> Application:
    """FR.APL.02 as it is now, for units of the newest edition."""
    _require_state(application, ApplicationState.OPEN)
    if not assessment.units.keys() <= {unit.code for unit in newest.terms.units}:
        raise UnitsDiffer
    return replace(application, self_assessment=assessment)


def reasons_against_assignment(application: Application, scheme: Scheme) -> list[Reason]:
    """APPLICATION_INCOMPLETE unless FR.APL.01 has evidence and FR.APL.02 answers for every unit."""
    complete = (
        application.form is not None
        and application.form.evidence
        and application.self_assessment is not None
        and application.self_assessment.units.keys() == {unit.code for unit in scheme.terms.units}
    )
    return [] if complete else [Reason.APPLICATION_INCOMPLETE]


def assign(
    application: Application, scheme: Scheme, assignment: Assignment, reasons: list[Reason]
) -> Application:
    """The assignment, unless there is any reason against it; the scheme's edition is frozen here."""
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
    """The assessor's word on conflicts of interest; with a conflict the assignment falls, and this assessor cannot be assigned again."""
    _require_state(application, ApplicationState.ASSIGNED)
    assignment = _require_assignment(application)
    if not has_conflict:
        return replace(application, assignment=replace(assignment, conflict_free=True))
    conflicted = application.conflicted | {assignment.assessor_id}
    return replace(
        application,
        state=ApplicationState.OPEN,
        scheme_id=None,
        assignment=None,
        assessor_id=None,
        conflicted=conflicted,
        results={},
    )


def record_results(
    application: Application, scheme: Scheme, results: Mapping[str, Result], today: date
) -> Application:
    """Results of units as the assessor found them; the same ones again change nothing."""
    _require_state(application, ApplicationState.ASSIGNED)
    assignment = _require_assignment(application)
    if not assignment.conflict_free:
        raise RulesBroken([Reason.ASSESSOR_CONFLICT])
    if today < assignment.held_on:
        raise NotYetHeld
    if not results.keys() <= {unit.code for unit in scheme.terms.units}:
        raise UnitsDiffer
    return replace(application, results=application.results | dict(results))


def recommend(
    application: Application,
    scheme: Scheme,
    origin: Origin,
    *,
    competent: bool,
    by: Actor,
    now: datetime,
) -> tuple[Application, list[CompetencyAssessed]]:
    """The assessor's recommendation, once every unit has a result; for 'kompeten' all of them must be K."""
    _require_state(application, ApplicationState.ASSIGNED)
    codes = [unit.code for unit in scheme.terms.units]
    if application.results.keys() != set(codes):
        raise ResultsMissing
    if competent:
        require_no_reasons(reasons_against_competence(application, scheme))
    done = replace(
        application,
        state=ApplicationState.RECOMMENDED,
        recommendation=Recommendation(
            competent=competent, by=by.by, at=now, on_behalf_of=by.on_behalf_of
        ),
    )
    units = tuple(UnitResult(code=code, result=application.results[code].value) for code in codes)
    event = CompetencyAssessed(
        participant_ref=origin.participant_ref,
        application_id=application.id,
        scheme_id=application.scheme_ref,
        units=units,
        assessed_on=_require_assignment(application).held_on,
    )
    return done, [event]


def reasons_against_competence(application: Application, scheme: Scheme) -> list[Reason]:
    """UNIT_NOT_COMPETENT unless every unit is K: a partial K is no certificate of the scheme (R11)."""
    return (
        []
        if all(application.results.get(unit.code) is Result.K for unit in scheme.terms.units)
        else [Reason.UNIT_NOT_COMPETENT]
    )


def propose_name(application: Application, sealed: str, by: Actor, now: datetime) -> Application:
    """The name as training holds it, sealed and not confirmed yet."""
    _require_state(
        application, ApplicationState.OPEN, ApplicationState.ASSIGNED, ApplicationState.RECOMMENDED
    )
    return replace(
        application,
        name=PrintedName(
            sealed=sealed, fetched_by=by.by, fetched_at=now, fetched_for=by.on_behalf_of
        ),
    )


def confirm_name(application: Application, by: Actor, now: datetime) -> Application:
    """A second person has read the name and found it right."""
    _require_state(
        application, ApplicationState.OPEN, ApplicationState.ASSIGNED, ApplicationState.RECOMMENDED
    )
    if application.name is None:
        raise NameNotFetched
    if by.conflicts_with(Actor(application.name.fetched_by, application.name.fetched_for)):
        raise NameOwnConfirmation
    return replace(
        application, name=replace(application.name, confirmed_by=by.by, confirmed_at=now)
    )


def decide(application: Application, panel_decision_id: str, *, competent: bool) -> Application:
    """The application after the panel's decision, whose rules `panels` knows."""
    return replace(
        application,
        state=ApplicationState.COMPETENT if competent else ApplicationState.NOT_YET_COMPETENT,
        panel_decision_id=panel_decision_id,
    )


def _require_state(application: Application, *states: ApplicationState) -> None:
    if application.state not in states:
        raise ApplicationStateDiffers(state=application.state.value)


def _require_assignment(application: Application) -> Assignment:
    if application.assignment is None:
        raise ApplicationStateDiffers(state=application.state.value)
    return application.assignment
