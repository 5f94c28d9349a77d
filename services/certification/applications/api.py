"""How applications are asked for."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from chassis.errors import Conflict
from chassis.http import dependencies, paging
from chassis.http.service_client import ServiceClient
from services.certification.applications import usecases
from services.certification.applications.rules import (
    Application,
    ApplicationForm,
    ApplicationState,
    Evidence,
    Result,
    SelfAssessment,
)
from services.certification.transaction import Run

router = APIRouter(tags=["Permohonan"])
Code = Annotated[str, Field(min_length=1, max_length=40)]


class PersonUnknown(Conflict):
    title = "Nama orang ini tidak tersedia"


class EvidenceBody(BaseModel):
    """A piece of evidence as FR.APL.01 lists it."""

    model_config = dependencies.STRICT
    kind: Annotated[str, Field(min_length=1, max_length=60)]
    description: Annotated[str, Field(min_length=1, max_length=500)]


class FormBody(BaseModel):
    """FR.APL.01."""

    model_config = dependencies.STRICT
    evidence: Annotated[list[EvidenceBody], Field(min_length=1, max_length=50)]
    signed_on: date


class SelfAssessmentBody(BaseModel):
    """FR.APL.02: by unit code, whether the candidate thinks to be competent."""

    model_config = dependencies.STRICT
    units: Annotated[dict[Code, bool], Field(min_length=1, max_length=100)]
    signed_on: date


class AssignmentBody(BaseModel):
    """Who assesses, where, on which day."""

    model_config = dependencies.STRICT
    assessor_id: str
    venue_id: str
    held_on: date


class DeclarationBody(BaseModel):
    """The assessor's word: true when there is a conflict of interest."""

    model_config = dependencies.STRICT
    conflict: bool


class ResultsBody(BaseModel):
    """By unit code: K (kompeten) or BK (belum kompeten)."""

    model_config = dependencies.STRICT
    units: Annotated[dict[Code, Result], Field(min_length=1, max_length=100)]


class RecommendationBody(BaseModel):
    """What the assessor recommends."""

    model_config = dependencies.STRICT
    competent: bool


class NameBody(BaseModel):
    """The name that will stand on the certificate."""

    model_config = dependencies.STRICT
    name: Annotated[str, Field(min_length=1, max_length=200)]


class UnitBody(BaseModel):
    """A unit of the scheme with what is known of the candidate's competence in it."""

    code: str
    title: str
    self_assessment: bool | None
    result: Result | None


class ApplicationBody(BaseModel):
    """An application. Its name is never shown here."""

    application_id: str
    version: int
    lsp_id: str
    scheme_ref: str
    edition_id: str | None
    opened_on: date
    state: ApplicationState
    apl_01: bool
    apl_02: bool
    name: Literal["missing", "fetched", "confirmed"]
    assessor_id: str | None
    venue_id: str | None
    held_on: date | None
    conflict_free: bool
    recommended_competent: bool | None
    panel_decision_id: str | None

    @classmethod
    def of(cls, application: Application, **more: Any) -> ApplicationBody:
        """The body of an application."""
        name, assignment, recommendation = (
            application.name,
            application.assignment,
            application.recommendation,
        )
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
            name="missing" if name is None else "confirmed" if name.confirmed_by else "fetched",
            assessor_id=application.assessor_id,
            venue_id=assignment.venue_id if assignment else None,
            held_on=assignment.held_on if assignment else None,
            conflict_free=assignment is not None and assignment.conflict_free,
            recommended_competent=recommendation.competent if recommendation else None,
            panel_decision_id=application.panel_decision_id,
            **more,
        )


class ApplicationView(ApplicationBody):
    """One application with its units; `participant_ref` only for those who keep the LSP's applications."""

    participant_ref: str | None
    units: list[UnitBody]

    @classmethod
    def of_view(cls, view: usecases.ApplicationDetails) -> ApplicationBody:
        """The body of one application."""
        own = view.application.self_assessment
        units = [
            UnitBody(
                code=unit.code,
                title=unit.title,
                self_assessment=own.units.get(unit.code) if own else None,
                result=view.application.results.get(unit.code),
            )
            for unit in view.scheme.terms.units
        ]
        return cls.of(
            view.application,
            participant_ref=view.origin.participant_ref if view.origin else None,
            units=units,
        )


@router.get("/v1/assessment-applications", summary="Daftar permohonan")
async def list_applications(
    run: Run,
    state: ApplicationState | None = None,
    participant_ref: str | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[ApplicationBody]:
    """The caller's applications; an assessor's are those assigned."""
    page = await run(partial(usecases.listed, state, participant_ref, cursor, limit))
    return paging.PageBody(
        items=[ApplicationBody.of(item) for item in page.items], next_cursor=page.next_cursor
    )


@router.get(
    "/v1/assessment-applications/{application_id}",
    summary="Lihat permohonan",
    response_model=ApplicationView,
)
async def show_application(application_id: str, run: Run, response: Response) -> ApplicationBody:
    """One application with its units."""
    view = await run(partial(usecases.view, application_id))
    dependencies.set_etag(response, view.application)
    return ApplicationView.of_view(view)


@router.put("/v1/assessment-applications/{application_id}/apl-01", summary="Isi FR.APL.01")
async def submit_form(application_id: str, body: FormBody, run: Run) -> ApplicationBody:
    """The application form with its evidence."""
    form = ApplicationForm(
        evidence=tuple(
            Evidence(kind=one.kind, description=one.description) for one in body.evidence
        ),
        signed_on=body.signed_on,
    )
    return ApplicationBody.of(await run(partial(usecases.submit_form, application_id, form)))


@router.put("/v1/assessment-applications/{application_id}/apl-02", summary="Isi FR.APL.02")
async def submit_self_assessment(
    application_id: str, body: SelfAssessmentBody, run: Run
) -> ApplicationBody:
    """The candidate's own view, unit by unit."""
    return ApplicationBody.of(
        await run(
            partial(
                usecases.submit_self_assessment,
                application_id,
                SelfAssessment(units=body.units, signed_on=body.signed_on),
            )
        )
    )


@router.put("/v1/assessment-applications/{application_id}/assignment", summary="Tugaskan asesor")
async def assign(application_id: str, body: AssignmentBody, run: Run) -> ApplicationBody:
    """Assessor, venue and day, when no rule is against it; otherwise every rule that is, by its code."""
    work = partial(usecases.assign, application_id, body.assessor_id, body.venue_id, body.held_on)
    return ApplicationBody.of(
        await run(
            work,
            contended=usecases.contended_documents(body.assessor_id, body.venue_id, body.held_on),
        )
    )


@router.put(
    "/v1/assessment-applications/{application_id}/declaration",
    summary="Nyatakan benturan kepentingan",
)
async def declare(application_id: str, body: DeclarationBody, run: Run) -> ApplicationBody:
    """Without this word no result is taken; with a conflict the assignment falls."""
    return ApplicationBody.of(await run(partial(usecases.declare, application_id, body.conflict)))


@router.put(
    "/v1/assessment-applications/{application_id}/unit-results", summary="Catat hasil per unit"
)
async def record_results(application_id: str, body: ResultsBody, run: Run) -> ApplicationBody:
    """Results as the assessor found them, also those recorded offline: repeated uploads change nothing."""
    return ApplicationBody.of(
        await run(partial(usecases.record_results, application_id, body.units))
    )


@router.put("/v1/assessment-applications/{application_id}/recommendation", summary="Rekomendasikan")
async def recommend(application_id: str, body: RecommendationBody, run: Run) -> ApplicationBody:
    """The assessor recommends; the panel decides."""
    return ApplicationBody.of(
        await run(partial(usecases.recommend, application_id, body.competent))
    )


@router.put("/v1/assessment-applications/{application_id}/name", summary="Minta nama asesi")
async def fetch_name(application_id: str, request: Request, run: Run) -> ApplicationBody:
    """Ask the register for the name as on the identity card and keep it sealed; somebody else confirms it."""
    participant_ref = await run(partial(usecases.person_behind, application_id))
    training: ServiceClient = request.app.state.training
    asked_for = run.cause.caller.subject
    answer = await training.request(
        "POST",
        "/internal/identities",
        purpose="print-certificate",
        on_behalf_of=asked_for,
        body={"refs": [participant_ref]},
    )
    if not answer["items"]:
        await run(partial(usecases.note_name_unavailable, application_id))
        raise PersonUnknown
    return ApplicationBody.of(
        await run(partial(usecases.propose_name, application_id, answer["items"][0]["name"]))
    )


@router.get(
    "/v1/assessment-applications/{application_id}/name", summary="Lihat nama yang akan dicetak"
)
async def show_name(application_id: str, run: Run) -> NameBody:
    """The name that would be signed. Who reads it is noted."""
    _, name = await run(partial(usecases.read_name, application_id))
    return NameBody(name=name)


@router.put(
    "/v1/assessment-applications/{application_id}/name/confirmation", summary="Konfirmasi nama"
)
async def confirm_name(application_id: str, body: NameBody, run: Run) -> ApplicationBody:
    """A second person repeats the very name that will be signed."""
    return ApplicationBody.of(await run(partial(usecases.confirm_name, application_id, body.name)))
