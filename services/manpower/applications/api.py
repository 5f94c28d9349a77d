"""Routes of job applications, and of closing a vacancy with them.

Not here: the other routes of vacancies.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.caller import Caller
from chassis.http import dependencies, paging
from services.manpower.agencies.usecases import with_access_check
from services.manpower.applications import usecases
from services.manpower.applications.rules import Application, ApplicationState, Flag, Side
from services.manpower.applications.usecases import ApplicationView
from services.manpower.transaction import Run
from services.manpower.vacancies.api import CloseForm, VacancyBody
from services.manpower.vacancies.rules import slots_lock
from services.manpower.visibility.rules import Column, is_outside

router = APIRouter(tags=["job-applications"])
vacancy_router = APIRouter(tags=["vacancies"])

OFFICER_STATES = frozenset({ApplicationState.DRAFT, ApplicationState.CONSENTED})
"""States before the application was sent; only officers see these steps."""

Id = Annotated[str, Field(min_length=1, max_length=64)]


class ApplicationForm(BaseModel):
    """The candidate and the vacancy of a new application."""

    model_config = dependencies.STRICT

    candidate_id: Id
    vacancy_id: Id


class StepForm(BaseModel):
    """The next state, with a reason where the step needs one."""

    model_config = dependencies.STRICT

    to: ApplicationState
    reason: Annotated[str, Field(max_length=64)] = ""


class StepBody(BaseModel):
    """A step that was taken. Only officers see who took it."""

    at: datetime
    to: ApplicationState
    side: Side
    reason: str
    actor: str | None = None


class ApplicationBody(BaseModel):
    """A job application. A field that the reader may not see is absent."""

    id: str
    version: int
    candidate_id: str
    vacancy_id: str | None = None
    employer_id: str | None = None
    state: ApplicationState | None = None
    history: list[StepBody] | None = None
    consent_id: str | None = None
    flags: list[Flag] | None = None

    @classmethod
    def of(cls, view: ApplicationView, caller: Caller) -> ApplicationBody:
        """Return the body for this caller."""
        application = view.application
        body = cls(
            id=application.id,
            version=application.version,
            candidate_id=application.candidate_id,
        )
        if Column.EMPLOYER in view.columns:
            body.vacancy_id = application.vacancy_id
            body.employer_id = application.employer_id
        if Column.STEPS in view.columns:
            body.state = application.state
            body.history = _history(application, caller)
        if not is_outside(caller):
            body.consent_id = application.consent_id
            body.flags = sorted(application.flags)
        return body


@router.post("/v1/job-applications", status_code=201, response_model_exclude_unset=True)
async def draft_application(
    form: ApplicationForm, run: Run, caller: dependencies.CurrentCaller, response: Response
) -> ApplicationBody:
    """Begin an application for a candidate."""
    command = partial(usecases.draft_application, form.candidate_id, form.vacancy_id)
    return _answer(await run(command, view=usecases.view_application), caller, response)


@router.get("/v1/job-applications", response_model_exclude_unset=True)
async def list_applications(
    run: Run,
    caller: dependencies.CurrentCaller,
    vacancy_id: str | None = None,
    candidate_id: str | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[ApplicationBody]:
    """List the applications that the caller may see."""
    command = partial(usecases.list_applications, vacancy_id, candidate_id, cursor, limit)
    page = await run(with_access_check(command))
    return paging.PageBody(
        items=[ApplicationBody.of(view, caller) for view in page.items],
        next_cursor=page.next_cursor,
    )


@router.get("/v1/job-applications/{application_id}", response_model_exclude_unset=True)
async def show_application(
    application_id: str, run: Run, caller: dependencies.CurrentCaller, response: Response
) -> ApplicationBody:
    """Show one application."""
    command = with_access_check(partial(usecases.show_application, application_id))
    return _answer(await run(command, view=usecases.view_application), caller, response)


@router.post("/v1/job-applications/{application_id}/steps", response_model_exclude_unset=True)
async def advance_application(
    application_id: str,
    form: StepForm,
    run: Run,
    caller: dependencies.CurrentCaller,
    response: Response,
    version: dependencies.RequiredIfMatch,
) -> ApplicationBody:
    """Take the application to its next state."""
    command = with_access_check(
        partial(usecases.advance_application, application_id, form.to, form.reason, version)
    )
    return _answer(await run(command, view=usecases.view_application), caller, response)


@vacancy_router.post("/v1/vacancies/{vacancy_id}/close")
async def close_vacancy(
    vacancy_id: str,
    form: CloseForm,
    run: Run,
    response: Response,
    version: dependencies.RequiredIfMatch,
) -> VacancyBody:
    """Close a vacancy and every live application to it."""
    command = partial(usecases.close_vacancy, vacancy_id, form.reason, version)
    vacancy = await run(with_access_check(command), contended=[slots_lock(vacancy_id)])
    dependencies.set_etag(response, vacancy)
    return VacancyBody.model_validate(vacancy)


def _answer(view: ApplicationView, caller: Caller, response: Response) -> ApplicationBody:
    dependencies.set_etag(response, view.application)
    return ApplicationBody.of(view, caller)


def _history(application: Application, caller: Caller) -> list[StepBody]:
    """Return the steps that the caller may see, for outside readers without their actors."""
    steps: list[StepBody] = []
    for step in application.history:
        body = StepBody(at=step.at, to=step.to, side=step.side, reason=step.reason)
        if not is_outside(caller):
            body.actor = step.actor
        elif step.to in OFFICER_STATES:
            continue
        steps.append(body)
    return steps
