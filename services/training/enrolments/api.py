"""How enrolments are made and asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from services.training import texts
from services.training.classes.api import SeatsBody
from services.training.enrolments import rules, usecases
from services.training.enrolments.rules import EndReason, Enrolment, EnrolmentState, Suspension
from services.training.transaction import Run

router = APIRouter(tags=["Kepesertaan"])
Ref = Annotated[str, Field(min_length=1, max_length=64)]
Text = Annotated[str, Field(max_length=500)]
STAFF_END_REASONS = tuple(
    reason
    for reason in EndReason
    if reason
    not in {
        EndReason.RELEASED,
        EndReason.TRANSFERRED,
        EndReason.DIED,
        EndReason.ESCAPED,
        EndReason.CLASS_CANCELLED,
        EndReason.MERGED,
        EndReason.NOT_COMPLETED,
    }
)


class NewEnrolment(BaseModel):
    """A participant for a class. `override` says why a warning is set aside."""

    model_config = dependencies.STRICT
    class_id: Ref
    participant_ref: Ref
    override: Text = ""


class NewEnrolments(BaseModel):
    """Participants for a class, all of them or none."""

    model_config = dependencies.STRICT
    participant_refs: Annotated[list[Ref], Field(min_length=1, max_length=100)]
    override: Text = ""


class End(BaseModel):
    """Why staff end an enrolment; OTHER needs a note."""

    model_config = dependencies.STRICT
    reason: Annotated[str, Field(pattern=f"^({'|'.join(STAFF_END_REASONS)})$")]
    note: Text = ""


class SuspensionBody(BaseModel):
    """A planned rest, both days included; open-ended without `until`."""

    model_config = dependencies.STRICT
    since: date
    until: date | None = None
    reason: Annotated[str, Field(min_length=3, max_length=200)]
    keeps_allowance: bool = False


class ResultBody(BaseModel):
    """One attempt at a part of the training's own assessment; score in whole points."""

    model_config = dependencies.STRICT
    part: Annotated[str, Field(min_length=1, max_length=64)]
    passed: bool
    score: Annotated[int, Field(ge=0, le=100, strict=True)] | None = None
    assessor_ref: Ref


class Confirmation(BaseModel):
    """The confirming instructor of the class, where the programme wants one."""

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
    def of(cls, enrolment: Enrolment, today: date) -> EnrolmentBody:
        """The body of an enrolment on that day."""
        return cls(
            enrolment_id=enrolment.id,
            version=enrolment.version,
            participant_ref=enrolment.participant_ref,
            class_id=enrolment.class_id,
            facility_id=enrolment.facility_id,
            programme_id=enrolment.programme_id,
            edition=enrolment.edition,
            state=rules.compute_state(enrolment, today),
            starts_on=enrolment.starts_on,
            suspensions=[
                SuspensionBody(
                    since=rest.since,
                    until=rest.until,
                    reason=rest.reason,
                    keeps_allowance=rest.keeps_allowance,
                )
                for rest in enrolment.suspensions
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
    """What keeps a participant from having completed."""

    code: str
    message: str


class CompletionBody(BaseModel):
    """Where a participant stands towards completion, in whole minutes."""

    complete: bool
    held_minutes: int
    attended_minutes: int
    missing: list[MissingBody]
    parts_missing: list[str]


async def _show(enrolment: Enrolment, run: Run) -> EnrolmentBody:
    """The enrolment as it stands on the facility's date, which only its clock knows."""
    return EnrolmentBody.of(
        *await replace(run, key=None)(partial(usecases.enrolment, enrolment.id))
    )


@router.post("/v1/enrolments", status_code=201, summary="Tempatkan peserta di kelas")
async def enrol(body: NewEnrolment, run: Run, response: Response) -> EnrolmentBody:
    """Takes a seat, in one transaction with everything that allows it."""
    enrolment = await run(
        partial(usecases.enrol, body.class_id, body.participant_ref, body.override),
        contended=[f"class-seats/{body.class_id}"],
    )
    dependencies.set_etag(response, enrolment)
    return await _show(enrolment, run)


@router.post(
    "/v1/classes/{class_id}/enrolments",
    status_code=201,
    summary="Tempatkan banyak peserta sekaligus",
)
async def enrol_many(class_id: str, body: NewEnrolments, run: Run, response: Response) -> SeatsBody:
    """All of them or none; answers with the seats of the class."""
    seats = await run(
        partial(usecases.enrol_many, class_id, body.participant_refs, body.override),
        contended=[f"class-seats/{class_id}"],
    )
    dependencies.set_etag(response, seats)
    return SeatsBody.of(seats)


@router.get("/v1/enrolments", summary="Daftar kepesertaan")
async def list_enrolments(
    run: Run,
    class_id: str | None = None,
    participant_ref: str | None = None,
    live: Annotated[bool | None, Query(description="Hanya yang masih menempati kursi")] = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[EnrolmentBody]:
    """The caller's enrolments, oldest first."""
    page, today = await run(
        partial(usecases.enrolments, class_id, participant_ref, cursor, limit, live=live)
    )
    return paging.PageBody(
        items=[
            EnrolmentBody.of(enrolment, today[enrolment.facility_id]) for enrolment in page.items
        ],
        next_cursor=page.next_cursor,
    )


@router.get("/v1/enrolments/{enrolment_id}", summary="Lihat kepesertaan")
async def show_enrolment(enrolment_id: str, run: Run, response: Response) -> EnrolmentBody:
    """One enrolment."""
    enrolment, today = await run(partial(usecases.enrolment, enrolment_id))
    dependencies.set_etag(response, enrolment)
    return EnrolmentBody.of(enrolment, today)


@router.get("/v1/enrolments/{enrolment_id}/completion", summary="Periksa syarat kelulusan")
async def show_completion(enrolment_id: str, run: Run) -> CompletionBody:
    """Where the participant stands, as if it were confirmed now."""
    found = await run(partial(usecases.standing, enrolment_id))
    missing = [MissingBody(code=code, message=texts.COMPLETION[code]) for code in found.missing]
    return CompletionBody(
        complete=not missing,
        held_minutes=found.held_minutes,
        attended_minutes=found.attended_minutes,
        missing=missing,
        parts_missing=list(found.missing_parts),
    )


@router.post("/v1/enrolments/{enrolment_id}/completion", summary="Nyatakan peserta lulus")
async def confirm_completion(
    enrolment_id: str,
    body: Confirmation,
    version: dependencies.IfMatch,
    run: Run,
    response: Response,
) -> EnrolmentBody:
    """Once, and only when the rule of the class's edition is met."""
    enrolment = await run(
        partial(usecases.confirm_completion, enrolment_id, body.instructor_ref, version)
    )
    dependencies.set_etag(response, enrolment)
    return await _show(enrolment, run)


@router.post("/v1/enrolments/{enrolment_id}/end", summary="Akhiri kepesertaan")
async def end_enrolment(
    enrolment_id: str, body: End, version: dependencies.IfMatch, run: Run, response: Response
) -> EnrolmentBody:
    """It ends today; the seat comes back."""
    enrolment = await run(
        partial(usecases.end_enrolment, enrolment_id, EndReason(body.reason), body.note, version)
    )
    dependencies.set_etag(response, enrolment)
    return await _show(enrolment, run)


@router.post(
    "/v1/enrolments/{enrolment_id}/suspensions",
    status_code=201,
    summary="Rencanakan jeda kepesertaan",
)
async def plan_suspension(
    enrolment_id: str,
    body: SuspensionBody,
    version: dependencies.IfMatch,
    run: Run,
    response: Response,
) -> EnrolmentBody:
    """The seat is kept."""
    rest = Suspension(
        since=body.since, until=body.until, reason=body.reason, keeps_allowance=body.keeps_allowance
    )
    enrolment = await run(partial(usecases.plan_suspension, enrolment_id, rest, version))
    dependencies.set_etag(response, enrolment)
    return await _show(enrolment, run)


@router.post(
    "/v1/enrolments/{enrolment_id}/results",
    status_code=201,
    summary="Catat hasil penilaian pelatihan",
)
async def record_result(
    enrolment_id: str, body: ResultBody, version: dependencies.IfMatch, run: Run, response: Response
) -> EnrolmentBody:
    """One attempt more; earlier ones stay."""
    enrolment = await run(
        partial(
            usecases.record_result,
            enrolment_id,
            body.part,
            body.assessor_ref,
            body.score,
            version,
            passed=body.passed,
        )
    )
    dependencies.set_etag(response, enrolment)
    return await _show(enrolment, run)
