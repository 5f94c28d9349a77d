"""How job applications are asked for."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.caller import Caller
from chassis.http import dependencies, paging
from services.manpower.applications import usecases
from services.manpower.applications.rules import Application, ApplicationState, Flag, Side
from services.manpower.consumers.usecases import with_access_check
from services.manpower.transaction import Run, Transaction
from services.manpower.visibility.rules import is_outside

router = APIRouter(tags=["job-applications"])

Id = Annotated[str, Field(min_length=1, max_length=64)]


class ApplicationForm(BaseModel):
    """Who applies for what."""

    model_config = dependencies.STRICT

    candidate_id: Id
    vacancy_id: Id


class StepForm(BaseModel):
    """The next state, with a reason where the step needs one."""

    model_config = dependencies.STRICT

    to: ApplicationState
    reason: Annotated[str, Field(max_length=64)] = ""


class StepBody(BaseModel):
    """A step that was taken. Who took it is told to officers only."""

    at: datetime
    to: ApplicationState
    side: Side
    reason: str
    actor: str | None = None


class ApplicationBody(BaseModel):
    """A job application."""

    id: str
    version: int
    candidate_id: str
    vacancy_id: str
    employer_id: str
    state: ApplicationState
    history: list[StepBody]
    consent_id: str | None = None
    flags: list[Flag] | None = None

    @classmethod
    def of(cls, application: Application, caller: Caller) -> ApplicationBody:
        """The body for this caller."""
        outside = is_outside(caller)
        history = [
            StepBody(
                at=step.at,
                to=step.to,
                side=step.side,
                reason=step.reason,
                **({} if outside else {"actor": step.actor}),
            )
            for step in application.history
            if not (outside and step.to in {ApplicationState.DRAFT, ApplicationState.CONSENTED})
        ]
        inside = (
            {}
            if outside
            else {"consent_id": application.consent_id, "flags": sorted(application.flags)}
        )
        return cls(
            id=application.id,
            version=application.version,
            candidate_id=application.candidate_id,
            vacancy_id=application.vacancy_id,
            employer_id=application.employer_id,
            state=application.state,
            history=history,
            **inside,  # pyright: ignore[reportArgumentType]  # the two fields that only officers see
        )


@router.post("/v1/job-applications", status_code=201, response_model_exclude_unset=True)
async def draft_application(
    form: ApplicationForm, run: Run, caller: dependencies.CurrentCaller, response: Response
) -> ApplicationBody:
    """Begin an application for a candidate."""
    application = await run(partial(usecases.draft_application, form.candidate_id, form.vacancy_id))
    dependencies.set_etag(response, application)
    return ApplicationBody.of(application, caller)


@router.get("/v1/job-applications", response_model_exclude_unset=True)
async def list_applications(
    run: Run,
    caller: dependencies.CurrentCaller,
    vacancy_id: str | None = None,
    candidate_id: str | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[ApplicationBody]:
    """Applications that the caller may see."""

    async def page(tx: Transaction) -> paging.PageBody[ApplicationBody]:
        found = await tx.applications.list_page(
            vacancy_id,
            None if candidate_id is None else await tx.resolve(candidate_id),
            cursor,
            limit,
        )
        tx.note(
            "applications.listed",
            "",
            refs=[application.candidate_id for application in found.items],
        )
        return paging.PageBody(
            items=[ApplicationBody.of(application, caller) for application in found.items],
            next_cursor=found.next_cursor,
        )

    return await run(with_access_check(page))


@router.get("/v1/job-applications/{application_id}", response_model_exclude_unset=True)
async def show_application(
    application_id: str, run: Run, caller: dependencies.CurrentCaller, response: Response
) -> ApplicationBody:
    """One application."""

    async def one(tx: Transaction) -> Application:
        application = await tx.applications.get(application_id)
        tx.note("applications.read", application.candidate_id)
        return application

    application = await run(with_access_check(one))
    dependencies.set_etag(response, application)
    return ApplicationBody.of(application, caller)


@router.post("/v1/job-applications/{application_id}/steps", response_model_exclude_unset=True)
async def advance_application(
    application_id: str,
    form: StepForm,
    run: Run,
    caller: dependencies.CurrentCaller,
    response: Response,
    if_match: dependencies.IfMatch,
) -> ApplicationBody:
    """Take the next step of the table."""
    application = await run(
        with_access_check(
            partial(
                usecases.advance_application,
                application_id,
                form.to,
                form.reason,
                if_match=if_match,
            )
        )
    )
    dependencies.set_etag(response, application)
    return ApplicationBody.of(application, caller)
