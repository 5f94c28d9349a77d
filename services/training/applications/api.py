"""How applications are handed in and asked for."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from services.training.applications import usecases
from services.training.applications.rules import Application, ApplicationState, Submission
from services.training.transaction import Run

router = APIRouter(tags=["Pendaftaran kelas"])
Ref = Annotated[str, Field(min_length=1, max_length=64)]


class NewApplications(BaseModel):
    """One form: a participant and one to five classes."""

    model_config = dependencies.STRICT
    participant_ref: Ref
    class_ids: Annotated[list[Ref], Field(max_length=50)]


class Why(BaseModel):
    """The reason, in the participant's words."""

    model_config = dependencies.STRICT
    reason: Annotated[str, Field(max_length=500)] = ""


class SubmittedBody(BaseModel):
    """An application that the form made."""

    application_id: str
    class_id: str


class SubmissionBody(BaseModel):
    """A form as it was taken in."""

    submission_id: str
    participant_ref: str
    applications: list[SubmittedBody]

    @classmethod
    def of(cls, submission: Submission) -> SubmissionBody:
        """The body of a submission."""
        made = [
            SubmittedBody(class_id=class_id, application_id=application_id)
            for class_id, application_id in submission.applications
        ]
        return cls(
            submission_id=submission.id,
            participant_ref=submission.participant_ref,
            applications=made,
        )


class ApplicationBody(BaseModel):
    """One participant's wish to join one class."""

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
        """The body of an application."""
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
async def submit_applications(body: NewApplications, run: Run) -> SubmissionBody:
    """One to five classes at once; all of them or none."""
    return SubmissionBody.of(
        await run(partial(usecases.submit_applications, body.participant_ref, body.class_ids))
    )


@router.get("/v1/class-applications", summary="Daftar pendaftaran kelas")
async def list_applications(
    run: Run,
    class_id: str | None = None,
    participant_ref: str | None = None,
    state: ApplicationState | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[ApplicationBody]:
    """The caller's applications, oldest first."""
    page = await run(
        partial(usecases.applications, class_id, participant_ref, state, cursor, limit)
    )
    return paging.PageBody(
        items=[ApplicationBody.of(application) for application in page.items],
        next_cursor=page.next_cursor,
    )


@router.get("/v1/class-applications/{application_id}", summary="Lihat pendaftaran kelas")
async def show_application(application_id: str, run: Run, response: Response) -> ApplicationBody:
    """One application."""
    application = await run(partial(usecases.application, application_id))
    dependencies.set_etag(response, application)
    return ApplicationBody.of(application)


@router.post(
    "/v1/class-applications/{application_id}/withdrawal", summary="Tarik pendaftaran kelas"
)
async def withdraw_application(
    application_id: str, body: Why, version: dependencies.IfMatch, run: Run, response: Response
) -> ApplicationBody:
    """By the participant's wish."""
    application = await run(
        partial(usecases.withdraw_application, application_id, body.reason, version)
    )
    dependencies.set_etag(response, application)
    return ApplicationBody.of(application)


@router.post(
    "/v1/class-applications/{application_id}/resubmission",
    summary="Ajukan kembali pendaftaran kelas",
)
async def resubmit_application(
    application_id: str, version: dependencies.IfMatch, run: Run, response: Response
) -> ApplicationBody:
    """A deferred one for the next hearing, or a withdrawn one unless a newer exists."""
    application = await run(partial(usecases.resubmit_application, application_id, version))
    dependencies.set_etag(response, application)
    return ApplicationBody.of(application)
