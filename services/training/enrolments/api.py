"""Routes of enrolments, and of closing and cancelling classes, which end enrolments."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.moments import Day
from services.training.classes.api import Cancellation, ClassBody, Closing
from services.training.classes.rules import seats_lock
from services.training.completion.rules import Progress
from services.training.enrolments import consequences, rules, usecases
from services.training.enrolments.rules import (
    STAFF_END_REASONS,
    EndReason,
    EnrolmentState,
    Suspension,
)
from services.training.enrolments.usecases import EnrolmentView
from services.training.settings import TEXTS
from services.training.transaction import Run

router = APIRouter(tags=["Kepesertaan"])
class_router = APIRouter(tags=["Kelas"])
Ref = Annotated[str, Field(min_length=1, max_length=64)]
Text = Annotated[str, Field(max_length=500)]


class NewEnrolment(BaseModel):
    """A participant for a class; `override` says why warnings are ignored."""

    model_config = dependencies.STRICT
    class_id: Ref
    participant_ref: Ref
    override: Text = ""


class EndBody(BaseModel):
    """Why staff end an enrolment; OTHER needs a note."""

    model_config = dependencies.STRICT
    reason: Annotated[str, Field(pattern=f"^({'|'.join(STAFF_END_REASONS)})$")]
    note: Text = ""


class SuspensionBody(BaseModel):
    """A planned suspension, both days included; open-ended without `until`."""

    model_config = dependencies.STRICT
    since: Day
    until: Day | None = None
    reason: Annotated[str, Field(min_length=3, max_length=200)]
    keeps_allowance: bool = False


class SuspensionChange(BaseModel):
    """The new last day of a planned suspension; without one it is lifted."""

    model_config = dependencies.STRICT
    until: Day | None = None


class ResultBody(BaseModel):
    """One attempt at a part of the training's own assessment; the score is in whole points."""

    model_config = dependencies.STRICT
    part: Annotated[str, Field(min_length=1, max_length=64)]
    passed: bool
    score: Annotated[int, Field(ge=0, le=100, strict=True)] | None = None
    assessor_ref: Ref


class Confirmation(BaseModel):
    """The confirming instructor of the class, where the programme demands one."""

    model_config = dependencies.STRICT
    instructor_ref: Annotated[str, Field(max_length=64)] = ""


class EnrolmentBody(BaseModel):
    """A participant in a class; the state is computed for the facility's date today."""

    enrolment_id: str
    version: int
    participant_ref: str
    class_id: str
    facility_id: str
    programme_id: str
    edition: int
    state: EnrolmentState
    starts_on: date
    suspensions: list[SuspensionBody]
    results: list[ResultBody]
    ended_on: date | None
    end_reason: str | None
    end_note: str | None
    completed_on: date | None
    application_id: str | None
    override: str | None
    enrolled_at: datetime

    @classmethod
    def of(cls, view: EnrolmentView) -> EnrolmentBody:
        """Return the body of an enrolment, with its state on the facility's date."""
        enrolment = view.enrolment
        return cls(
            enrolment_id=enrolment.id,
            version=enrolment.version,
            participant_ref=enrolment.participant_ref,
            class_id=enrolment.class_id,
            facility_id=enrolment.facility_id,
            programme_id=enrolment.programme_id,
            edition=enrolment.edition,
            state=rules.compute_state(enrolment, view.today),
            starts_on=enrolment.starts_on,
            suspensions=[
                SuspensionBody(
                    since=suspension.since,
                    until=suspension.until,
                    reason=suspension.reason,
                    keeps_allowance=suspension.keeps_allowance,
                )
                for suspension in enrolment.suspensions
            ],
            results=[
                ResultBody(
                    part=result.part,
                    passed=result.passed,
                    score=result.score,
                    assessor_ref=result.assessor_ref,
                )
                for result in enrolment.results
            ],
            ended_on=enrolment.ended_on,
            end_reason=enrolment.end_reason or None,
            end_note=enrolment.end_note or None,
            completed_on=enrolment.completed_on,
            application_id=enrolment.application_id or None,
            override=enrolment.override or None,
            enrolled_at=enrolment.enrolled_at,
        )


class MissingBody(BaseModel):
    """What a participant lacks for completion."""

    code: str
    message: str


class CompletionBody(BaseModel):
    """A participant's progress towards completion, in whole minutes."""

    complete: bool
    held_minutes: int
    attended_minutes: int
    missing: list[MissingBody]
    parts_missing: list[str]

    @classmethod
    def of(cls, progress: Progress) -> CompletionBody:
        """Return the body of a participant's progress."""
        missing = [
            MissingBody(code=code, message=TEXTS[f"completion.{code}"].localised)
            for code in progress.missing
        ]
        return cls(
            complete=not missing,
            held_minutes=progress.held_minutes,
            attended_minutes=progress.attended_minutes,
            missing=missing,
            parts_missing=list(progress.missing_parts),
        )


@class_router.post("/v1/classes/{class_id}/closing", summary="Tutup kelas")
async def close_class(
    class_id: str,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
    body: Closing | None = None,
) -> ClassBody:
    """Close a class: completion is judged by the sessions held, sessions to come are cancelled.

    A class that is closed early needs a reason.
    """
    closing = body or Closing()
    command = partial(
        consequences.close_class, class_id, closing.reason or "", closing.instructor_ref, version
    )
    closed = await run(command, contended=[seats_lock(class_id)])
    dependencies.set_etag(response, closed)
    return ClassBody.of(closed)


@class_router.post("/v1/classes/{class_id}/cancellation", summary="Batalkan kelas")
async def cancel_class(
    class_id: str,
    body: Cancellation,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> ClassBody:
    """Cancel a class: its enrolments end and its open applications are removed."""
    command = partial(consequences.cancel_class, class_id, body.reason, version)
    cancelled = await run(command, contended=[seats_lock(class_id)])
    dependencies.set_etag(response, cancelled)
    return ClassBody.of(cancelled)


@router.post("/v1/enrolments", status_code=201, summary="Tempatkan peserta di kelas")
async def enrol(body: NewEnrolment, run: Run, response: Response) -> EnrolmentBody:
    """Enrol a participant: take a seat, in one transaction with everything that allows it."""
    command = partial(usecases.enrol, body.class_id, body.participant_ref, body.override)
    lock = seats_lock(body.class_id)
    view = await run(command, view=usecases.view_enrolment, contended=[lock])
    dependencies.set_etag(response, view.enrolment)
    return EnrolmentBody.of(view)


@router.get("/v1/enrolments", summary="Daftar kepesertaan")
async def list_enrolments(
    run: Run,
    class_id: str | None = None,
    participant_ref: str | None = None,
    live: Annotated[bool | None, Query(description="Hanya yang masih menempati kursi")] = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[EnrolmentBody]:
    """List the enrolments in the caller's scope, oldest first."""
    query = partial(usecases.list_enrolments, class_id, participant_ref, cursor, limit, live=live)
    views, next_cursor = await run(query)
    items = [EnrolmentBody.of(view) for view in views]
    return paging.PageBody(items=items, next_cursor=next_cursor)


@router.get("/v1/enrolments/{enrolment_id}", summary="Lihat kepesertaan")
async def show_enrolment(enrolment_id: str, run: Run, response: Response) -> EnrolmentBody:
    """Show one enrolment."""
    query = partial(usecases.read_enrolment, enrolment_id)
    view = await run(query, view=usecases.view_enrolment)
    dependencies.set_etag(response, view.enrolment)
    return EnrolmentBody.of(view)


@router.get("/v1/enrolments/{enrolment_id}/completion", summary="Periksa syarat kelulusan")
async def show_completion(enrolment_id: str, run: Run) -> CompletionBody:
    """Show the progress towards completion, as if an instructor confirmed it now."""
    query = partial(usecases.read_enrolment, enrolment_id)
    return CompletionBody.of(await run(query, view=usecases.view_progress))


@router.post("/v1/enrolments/{enrolment_id}/completion", summary="Nyatakan peserta lulus")
async def confirm_completion(
    enrolment_id: str,
    body: Confirmation,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> EnrolmentBody:
    """Complete an enrolment, once, and only when the rule of the class's edition is met."""
    command = partial(usecases.confirm_completion, enrolment_id, body.instructor_ref, version)
    view = await run(command, view=usecases.view_enrolment)
    dependencies.set_etag(response, view.enrolment)
    return EnrolmentBody.of(view)


@router.post("/v1/enrolments/{enrolment_id}/end", summary="Akhiri kepesertaan")
async def end_enrolment(
    enrolment_id: str,
    body: EndBody,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> EnrolmentBody:
    """End an enrolment today and free its seat."""
    reason = EndReason(body.reason)
    command = partial(usecases.end_enrolment, enrolment_id, reason, body.note, version)
    view = await run(command, view=usecases.view_enrolment)
    dependencies.set_etag(response, view.enrolment)
    return EnrolmentBody.of(view)


@router.post(
    "/v1/enrolments/{enrolment_id}/suspensions",
    status_code=201,
    summary="Rencanakan jeda kepesertaan",
)
async def plan_suspension(
    enrolment_id: str,
    body: SuspensionBody,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> EnrolmentBody:
    """Plan a suspension; the seat is kept, and nobody is expected on its days."""
    suspension = Suspension(
        since=body.since, until=body.until, reason=body.reason, keeps_allowance=body.keeps_allowance
    )
    command = partial(usecases.plan_suspension, enrolment_id, suspension, version)
    view = await run(command, view=usecases.view_enrolment)
    dependencies.set_etag(response, view.enrolment)
    return EnrolmentBody.of(view)


@router.patch(
    "/v1/enrolments/{enrolment_id}/suspensions/{number}",
    summary="Persingkat atau batalkan jeda kepesertaan",
)
async def shorten_suspension(
    enrolment_id: str,
    number: int,
    body: SuspensionChange,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> EnrolmentBody:
    """Shorten or lift a planned suspension; `number` is its place in the list, from 1."""
    command = partial(usecases.shorten_suspension, enrolment_id, number, body.until, version)
    view = await run(command, view=usecases.view_enrolment)
    dependencies.set_etag(response, view.enrolment)
    return EnrolmentBody.of(view)


@router.post(
    "/v1/enrolments/{enrolment_id}/results",
    status_code=201,
    summary="Catat hasil penilaian pelatihan",
)
async def record_result(
    enrolment_id: str,
    body: ResultBody,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> EnrolmentBody:
    """Record one more attempt; earlier ones stay."""
    command = partial(
        usecases.record_result,
        enrolment_id,
        body.part,
        body.assessor_ref,
        body.score,
        version,
        passed=body.passed,
    )
    view = await run(command, view=usecases.view_enrolment)
    dependencies.set_etag(response, view.enrolment)
    return EnrolmentBody.of(view)
