"""Routes of applications."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.http.dependencies import RequiredIfMatch, set_etag
from chassis.http.service_client import ServiceClient
from chassis.moments import Day
from services.certification.applications import name_process, usecases
from services.certification.applications.rules import (
    Application,
    ApplicationForm,
    ApplicationState,
    CompetencyResult,
    Evidence,
    PrintedName,
    SelfAssessment,
)
from services.certification.reasons import describe
from services.certification.transaction import Run

router = APIRouter(tags=["Permohonan"])
Code = Annotated[str, Field(min_length=1, max_length=40)]
NameState = Literal["missing", "fetched", "confirmed"]


class EvidenceBody(BaseModel):
    """A piece of evidence as FR.APL.01 lists it."""

    model_config = dependencies.STRICT
    kind: Annotated[str, Field(min_length=1, max_length=60)]
    description: Annotated[str, Field(min_length=1, max_length=500)]


class FormBody(BaseModel):
    """FR.APL.01."""

    model_config = dependencies.STRICT
    evidence: Annotated[list[EvidenceBody], Field(min_length=1, max_length=50)]
    signed_on: Day

    def to_form(self) -> ApplicationForm:
        """Return the form that this body describes."""
        evidence = tuple(
            Evidence(kind=piece.kind, description=piece.description) for piece in self.evidence
        )
        return ApplicationForm(evidence=evidence, signed_on=self.signed_on)


class SelfAssessmentBody(BaseModel):
    """FR.APL.02: by unit code, whether the candidate claims to be competent."""

    model_config = dependencies.STRICT
    units: Annotated[dict[Code, bool], Field(min_length=1, max_length=100)]
    signed_on: Day

    def to_self_assessment(self) -> SelfAssessment:
        """Return the self-assessment that this body describes."""
        return SelfAssessment(units=self.units, signed_on=self.signed_on)


class AssignmentBody(BaseModel):
    """Who assesses where and on which day."""

    model_config = dependencies.STRICT
    assessor_id: str
    venue_id: str
    held_on: Day


class DeclarationBody(BaseModel):
    """The assessor's declaration: true when there is a conflict of interest."""

    model_config = dependencies.STRICT
    conflict: bool


class ResultsBody(BaseModel):
    """By unit code: K (kompeten) or BK (belum kompeten)."""

    model_config = dependencies.STRICT
    units: Annotated[dict[Code, CompetencyResult], Field(min_length=1, max_length=100)]


class RecommendationBody(BaseModel):
    """The assessor's recommendation."""

    model_config = dependencies.STRICT
    competent: bool


class NameBody(BaseModel):
    """The name that will be printed on the certificate."""

    model_config = dependencies.STRICT
    name: Annotated[str, Field(min_length=1, max_length=200)]


class UnitBody(BaseModel):
    """A unit of the scheme with the candidate's own assessment and the result."""

    code: str
    title: str
    self_assessment: bool | None
    result: CompetencyResult | None


class ApplicationBody(BaseModel):
    """An application. It never shows the candidate's name."""

    application_id: str
    version: int
    lsp_id: str
    scheme_ref: str
    edition_id: str | None
    opened_on: date
    state: ApplicationState
    apl_01: bool
    apl_02: bool
    name: NameState
    assessor_id: str | None
    venue_id: str | None
    held_on: date | None
    conflict_free: bool
    recommended_competent: bool | None
    panel_decision_id: str | None

    @classmethod
    def of(cls, application: Application, **more: Any) -> ApplicationBody:
        """Return the body of an application; `more` are fields of a subclass."""
        assignment = application.assignment
        recommendation = application.recommendation
        return cls(
            application_id=application.id,
            version=application.version,
            lsp_id=application.lsp_id,
            scheme_ref=application.scheme_ref,
            edition_id=application.scheme_id,
            opened_on=application.opened_on,
            state=application.state,
            apl_01=application.form is not None,
            apl_02=application.self_assessment is not None,
            name=_name_state(application.name),
            assessor_id=application.assessor_id,
            venue_id=assignment.venue_id if assignment else None,
            held_on=assignment.held_on if assignment else None,
            conflict_free=assignment is not None and assignment.conflict_free,
            recommended_competent=recommendation.competent if recommendation else None,
            panel_decision_id=application.panel_decision_id,
            **more,
        )


class ApplicationView(ApplicationBody):
    """One application with its units.

    `participant_ref` is null for callers who do not manage the LSP's applications.
    """

    participant_ref: str | None
    units: list[UnitBody]

    @classmethod
    def of_view(cls, view: usecases.ApplicationDetails) -> ApplicationBody:
        """Return the body of one application."""
        assessment = view.application.self_assessment
        answers = assessment.units if assessment else {}
        units = [
            UnitBody(
                code=unit.code,
                title=unit.title,
                self_assessment=answers.get(unit.code),
                result=view.application.results.get(unit.code),
            )
            for unit in view.scheme.terms.units
        ]
        participant_ref = view.origin.participant_ref if view.origin else None
        return cls.of(view.application, participant_ref=participant_ref, units=units)


class NamesRequest(BaseModel):
    """The applications whose candidates are named on the day of the assessment.

    The purpose is audited together with the caller.
    """

    model_config = dependencies.STRICT
    application_ids: Annotated[list[Code], Field(min_length=1, max_length=500)]
    purpose: Literal["assessment-day"]


class ReasonBody(BaseModel):
    """A reason with its stable code and the text that an officer reads."""

    code: str
    message: str


class CandidateNameBody(BaseModel):
    """The name of one candidate, or the reasons why it is not shown."""

    application_id: str
    name: str | None
    reasons: list[ReasonBody]


class CandidateNamesBody(BaseModel):
    """One line per application, in the order of the request."""

    items: list[CandidateNameBody]


def training_client(request: Request) -> ServiceClient:
    """Return the client of training."""
    return request.app.state.training


Training = Annotated[ServiceClient, Depends(training_client)]


@router.get("/v1/assessment-applications", summary="Daftar permohonan")
async def list_applications(
    run: Run,
    state: ApplicationState | None = None,
    participant_ref: str | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[ApplicationBody]:
    """List the caller's applications; an assessor sees the assigned ones."""
    page = await run(partial(usecases.list_applications, state, participant_ref, cursor, limit))
    items = [ApplicationBody.of(application) for application in page.items]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)


@router.post("/v1/assessment-applications/names", summary="Lihat nama asesi pada hari asesmen")
async def show_candidate_names(
    body: NamesRequest, training: Training, run: Run
) -> CandidateNamesBody:
    """Show the names of candidates on the day of their assessment and on the day before.

    An assessor gets those of the assigned applications, an LSP officer those of the LSP.
    """
    lines = await name_process.show_candidate_names(body.application_ids, training, run)
    items = [
        CandidateNameBody(
            application_id=line.application_id,
            name=line.name,
            reasons=[ReasonBody(**reason) for reason in describe(line.reasons)],
        )
        for line in lines
    ]
    return CandidateNamesBody(items=items)


@router.get(
    "/v1/assessment-applications/{application_id}",
    summary="Lihat permohonan",
    response_model=ApplicationView,
)
async def show_application(application_id: str, run: Run, response: Response) -> ApplicationBody:
    """Show one application with its units."""
    view = await run(partial(usecases.view_application, application_id))
    set_etag(response, view.application)
    return ApplicationView.of_view(view)


@router.put("/v1/assessment-applications/{application_id}/apl-01", summary="Isi FR.APL.01")
async def submit_form(
    application_id: str, body: FormBody, version: RequiredIfMatch, run: Run, response: Response
) -> ApplicationBody:
    """Submit the application form with its evidence."""
    command = partial(usecases.submit_form, application_id, body.to_form(), version)
    application = await run(command)
    return _changed(application, response)


@router.put("/v1/assessment-applications/{application_id}/apl-02", summary="Isi FR.APL.02")
async def submit_self_assessment(
    application_id: str,
    body: SelfAssessmentBody,
    version: RequiredIfMatch,
    run: Run,
    response: Response,
) -> ApplicationBody:
    """Submit the candidate's own assessment, unit by unit."""
    assessment = body.to_self_assessment()
    command = partial(usecases.submit_self_assessment, application_id, assessment, version)
    return _changed(await run(command), response)


@router.put("/v1/assessment-applications/{application_id}/assignment", summary="Tugaskan asesor")
async def assign(
    application_id: str,
    body: AssignmentBody,
    version: RequiredIfMatch,
    run: Run,
    response: Response,
) -> ApplicationBody:
    """Assign assessor, venue and day; a refusal lists every reason by its code."""
    command = partial(
        usecases.assign, application_id, body.assessor_id, body.venue_id, body.held_on, version
    )
    contended = usecases.contended_documents(body.assessor_id, body.venue_id, body.held_on)
    return _changed(await run(command, contended=contended), response)


@router.put(
    "/v1/assessment-applications/{application_id}/declaration",
    summary="Nyatakan benturan kepentingan",
)
async def declare(
    application_id: str,
    body: DeclarationBody,
    version: RequiredIfMatch,
    run: Run,
    response: Response,
) -> ApplicationBody:
    """Declare whether there is a conflict of interest.

    Results are accepted only after the declaration; a conflict ends the assignment.
    """
    command = partial(usecases.declare, application_id, body.conflict, version)
    return _changed(await run(command), response)


@router.put(
    "/v1/assessment-applications/{application_id}/unit-results", summary="Catat hasil per unit"
)
async def record_results(
    application_id: str, body: ResultsBody, version: RequiredIfMatch, run: Run, response: Response
) -> ApplicationBody:
    """Record the assessor's results, also those recorded offline.

    A repeated upload changes nothing.
    """
    command = partial(usecases.record_results, application_id, body.units, version)
    return _changed(await run(command), response)


@router.put("/v1/assessment-applications/{application_id}/recommendation", summary="Rekomendasikan")
async def recommend(
    application_id: str,
    body: RecommendationBody,
    version: RequiredIfMatch,
    run: Run,
    response: Response,
) -> ApplicationBody:
    """Record the assessor's recommendation; the panel decides."""
    command = partial(usecases.recommend, application_id, body.competent, version)
    return _changed(await run(command), response)


@router.put("/v1/assessment-applications/{application_id}/name", summary="Minta nama asesi")
async def fetch_name(
    application_id: str, version: RequiredIfMatch, training: Training, run: Run, response: Response
) -> ApplicationBody:
    """Request the name on the identity card and store it encrypted; another person confirms it."""
    application = await name_process.fetch_name(application_id, version, training, run)
    return _changed(application, response)


@router.get(
    "/v1/assessment-applications/{application_id}/name", summary="Lihat nama yang akan dicetak"
)
async def show_name(application_id: str, run: Run, response: Response) -> NameBody:
    """Show the name that would be signed. The read is audited."""
    application, name = await run(partial(usecases.read_name, application_id))
    set_etag(response, application)
    return NameBody(name=name)


@router.put(
    "/v1/assessment-applications/{application_id}/name/confirmation", summary="Konfirmasi nama"
)
async def confirm_name(
    application_id: str, body: NameBody, version: RequiredIfMatch, run: Run, response: Response
) -> ApplicationBody:
    """Confirm the name: a second person repeats exactly the name that will be signed."""
    application = await run(partial(usecases.confirm_name, application_id, body.name, version))
    return _changed(application, response)


def _name_state(name: PrintedName | None) -> NameState:
    if name is None:
        return "missing"
    return "confirmed" if name.confirmed_by else "fetched"


def _changed(application: Application, response: Response) -> ApplicationBody:
    """Return the body of a changed application, and set its ETag."""
    set_etag(response, application)
    return ApplicationBody.of(application)
