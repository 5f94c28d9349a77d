"""Routes of roster acts on a class: enrolments, results and completions, a line per person."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies
from chassis.http.roster_bodies import RosterReportBody
from chassis.rosters import MAX_LINES
from services.training.classes.rules import seats_lock
from services.training.enrolments import roster_acts
from services.training.enrolments.api import Ref, ResultBody, Text
from services.training.enrolments.roster_acts import ResultLine
from services.training.roster_reports.api import body_of_report
from services.training.transaction import Run

router = APIRouter(tags=["Kepesertaan"])


class NewEnrolments(BaseModel):
    """Participants for a class; `override` says why warnings are ignored."""

    model_config = dependencies.STRICT
    participant_refs: Annotated[list[Ref], Field(min_length=1, max_length=MAX_LINES)]
    override: Text = ""


class EnrolmentLine(BaseModel):
    """An enrolment at its version."""

    model_config = dependencies.STRICT
    enrolment_id: Ref
    version: Annotated[int, Field(ge=1, strict=True)]


class ResultLineBody(ResultBody):
    """One attempt of one enrolment, at its version."""

    enrolment_id: Ref
    version: Annotated[int, Field(ge=1, strict=True)]


class ClassResults(BaseModel):
    """The results of a class."""

    model_config = dependencies.STRICT
    lines: Annotated[list[ResultLineBody], Field(min_length=1, max_length=MAX_LINES)]


class ClassCompletions(BaseModel):
    """The enrolments to complete, and the confirming instructor of the class."""

    model_config = dependencies.STRICT
    instructor_ref: Annotated[str, Field(max_length=64)] = ""
    lines: Annotated[list[EnrolmentLine], Field(min_length=1, max_length=MAX_LINES)]


@router.post(
    "/v1/classes/{class_id}/enrolments",
    status_code=201,
    summary="Tempatkan banyak peserta sekaligus",
)
async def enrol_many(
    class_id: str, body: NewEnrolments, run: Run, response: Response
) -> RosterReportBody:
    """Enrol everybody who is suitable; nobody when there are not enough seats for them."""
    command = partial(roster_acts.enrol_many, class_id, body.participant_refs, body.override)
    report = await run(command, contended=[seats_lock(class_id)])
    dependencies.set_etag(response, report)
    return body_of_report(report)


@router.post(
    "/v1/classes/{class_id}/results", status_code=201, summary="Catat hasil penilaian satu kelas"
)
async def record_results(
    class_id: str, body: ClassResults, run: Run, response: Response
) -> RosterReportBody:
    """Record one attempt of each line; earlier ones stay."""
    results = [ResultLine(**line.model_dump()) for line in body.lines]
    report = await run(partial(roster_acts.record_results, class_id, results))
    dependencies.set_etag(response, report)
    return body_of_report(report)


@router.post(
    "/v1/classes/{class_id}/completions", status_code=201, summary="Nyatakan peserta kelas lulus"
)
async def confirm_completions(
    class_id: str, body: ClassCompletions, run: Run, response: Response
) -> RosterReportBody:
    """Complete everybody who meets the rule; the report says what the others lack."""
    versions = [(line.enrolment_id, line.version) for line in body.lines]
    command = partial(roster_acts.confirm_completions, class_id, versions, body.instructor_ref)
    report = await run(command, contended=[seats_lock(class_id)])
    dependencies.set_etag(response, report)
    return body_of_report(report)
