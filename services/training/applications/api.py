"""Routes of applications, and of recording and approving TPP decisions."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.http.roster_bodies import RosterReportBody
from chassis.rosters import MAX_LINES
from services.training.applications import usecases
from services.training.applications.rules import Application, ApplicationState, Submission
from services.training.roster_reports.api import body_of_report
from services.training.tpp.api import DecisionBody, NewDecision
from services.training.transaction import Run

router = APIRouter(tags=["Pendaftaran kelas"])
decisions_router = APIRouter(tags=["Sidang TPP"])
Ref = Annotated[str, Field(min_length=1, max_length=64)]


class NewApplications(BaseModel):
    """One form: a participant and one to five classes."""

    model_config = dependencies.STRICT
    participant_ref: Ref
    class_ids: Annotated[list[Ref], Field(max_length=50)]


class ClassApplicants(BaseModel):
    """The people who apply for one class."""

    model_config = dependencies.STRICT
    participant_refs: Annotated[list[Ref], Field(min_length=1, max_length=MAX_LINES)]


class WithdrawalBody(BaseModel):
    """The reason for a withdrawal, in the participant's words."""

    model_config = dependencies.STRICT
    reason: Annotated[str, Field(max_length=500)] = ""


class SubmittedBody(BaseModel):
    """An application that the form created."""

    application_id: str
    class_id: str


class SubmissionBody(BaseModel):
    """A form as it was accepted."""

    submission_id: str
    participant_ref: str
    applications: list[SubmittedBody]

    @classmethod
    def of(cls, submission: Submission) -> SubmissionBody:
        """Return the body of a form."""
        applications = [
            SubmittedBody(class_id=class_id, application_id=application_id)
            for class_id, application_id in submission.applications
        ]
        return cls(
            submission_id=submission.id,
            participant_ref=submission.participant_ref,
            applications=applications,
        )


class ApplicationBody(BaseModel):
    """One participant's application for one class."""

    application_id: str
    version: int
    participant_ref: str
    class_id: str
    facility_id: str
    programme_id: str
    state: ApplicationState
    submitted_at: datetime
    changed_at: datetime
    decision_id: str | None
    reason: str | None
    enrolment_id: str | None

    @classmethod
    def of(cls, application: Application) -> ApplicationBody:
        """Return the body of an application."""
        return cls(
            application_id=application.id,
            version=application.version,
            participant_ref=application.participant_ref,
            class_id=application.class_id,
            facility_id=application.facility_id,
            programme_id=application.programme_id,
            state=application.state,
            submitted_at=application.submitted_at,
            changed_at=application.changed_at,
            decision_id=application.decision_id or None,
            reason=application.reason or None,
            enrolment_id=application.enrolment_id or None,
        )


@router.post("/v1/class-applications", status_code=201, summary="Daftarkan warga binaan ke kelas")
async def submit_applications(
    body: NewApplications, run: Run, response: Response
) -> SubmissionBody:
    """Apply for one to five classes at once; all of them or none."""
    command = partial(usecases.submit_applications, body.participant_ref, body.class_ids)
    submission = await run(command)
    dependencies.set_etag(response, submission)
    return SubmissionBody.of(submission)


@router.post(
    "/v1/classes/{class_id}/applications",
    status_code=201,
    summary="Daftarkan banyak warga binaan ke satu kelas",
)
async def submit_for_class(
    class_id: str, body: ClassApplicants, run: Run, response: Response
) -> RosterReportBody:
    """Apply for one class for up to 500 people; the report has a line for each."""
    report = await run(partial(usecases.submit_for_class, class_id, body.participant_refs))
    dependencies.set_etag(response, report)
    return body_of_report(report)


@router.get("/v1/class-applications", summary="Daftar pendaftaran kelas")
async def list_applications(
    run: Run,
    class_id: str | None = None,
    participant_ref: str | None = None,
    state: ApplicationState | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[ApplicationBody]:
    """List the applications in the caller's scope, oldest first."""
    query = partial(usecases.list_applications, class_id, participant_ref, state, cursor, limit)
    page = await run(query)
    items = [ApplicationBody.of(application) for application in page.items]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)


@router.get("/v1/class-applications/{application_id}", summary="Lihat pendaftaran kelas")
async def show_application(application_id: str, run: Run, response: Response) -> ApplicationBody:
    """Show one application."""
    application = await run(partial(usecases.read_application, application_id))
    dependencies.set_etag(response, application)
    return ApplicationBody.of(application)


@router.post(
    "/v1/class-applications/{application_id}/withdrawal", summary="Tarik pendaftaran kelas"
)
async def withdraw_application(
    application_id: str,
    body: WithdrawalBody,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> ApplicationBody:
    """Withdraw an application at the participant's wish."""
    command = partial(usecases.withdraw_application, application_id, body.reason, version)
    application = await run(command)
    dependencies.set_etag(response, application)
    return ApplicationBody.of(application)


@router.post(
    "/v1/class-applications/{application_id}/resubmission",
    summary="Ajukan kembali pendaftaran kelas",
)
async def resubmit_application(
    application_id: str, version: dependencies.RequiredIfMatch, run: Run, response: Response
) -> ApplicationBody:
    """Hand in again an application that was deferred, or withdrawn with no newer one since."""
    application = await run(partial(usecases.resubmit_application, application_id, version))
    dependencies.set_etag(response, application)
    return ApplicationBody.of(application)


@decisions_router.post("/v1/tpp-decisions", status_code=201, summary="Catat keputusan sidang TPP")
async def record_decision(body: NewDecision, run: Run, response: Response) -> DecisionBody:
    """Record a decision; it approves, declines or defers the applications that it covers."""
    decision = await run(partial(usecases.record_decision, body.to_decision()))
    dependencies.set_etag(response, decision)
    return DecisionBody.of(decision)


@decisions_router.post(
    "/v1/tpp-decisions/{decision_id}/head-approval",
    summary="Setujui keputusan sidang TPP (Kalapas)",
)
async def approve_decision(
    decision_id: str, version: dependencies.RequiredIfMatch, run: Run, response: Response
) -> DecisionBody:
    """Approve a decision; where the facility demands it, the decision is in force only then."""
    decision = await run(partial(usecases.approve_decision, decision_id, version))
    dependencies.set_etag(response, decision)
    return DecisionBody.of(decision)
