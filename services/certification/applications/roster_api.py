"""Routes of roster acts on an assessment batch: forms and results of units.

Not here: the routes of one application (api).
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies
from chassis.http.roster_bodies import ReasonTexts, RosterReportBody
from chassis.rosters import MAX_LINES
from services.certification.applications import roster_acts
from services.certification.applications.api import Code, FormBody, ResultsBody, SelfAssessmentBody
from services.certification.applications.roster_acts import FormsLine, UnitResultsLine
from services.certification.settings import TEXTS
from services.certification.transaction import Run

router = APIRouter(tags=["Permohonan"])
Version = Annotated[int, Field(ge=1, strict=True)]
_REASONS = ReasonTexts(TEXTS, "reasons")


class FormsLineBody(BaseModel):
    """FR.APL.01, FR.APL.02 or both of one application, at its version."""

    model_config = dependencies.STRICT
    application_id: Code
    version: Version
    apl_01: FormBody | None = None
    apl_02: SelfAssessmentBody | None = None


class BatchForms(BaseModel):
    """The forms of an assessment batch."""

    model_config = dependencies.STRICT
    lines: Annotated[list[FormsLineBody], Field(min_length=1, max_length=MAX_LINES)]


class UnitResultsLineBody(ResultsBody):
    """The results of one application, at its version."""

    application_id: Code
    version: Version


class BatchUnitResults(BaseModel):
    """The results of units of an assessment batch."""

    model_config = dependencies.STRICT
    lines: Annotated[list[UnitResultsLineBody], Field(min_length=1, max_length=MAX_LINES)]


@router.post(
    "/v1/assessment-applications/forms",
    status_code=201,
    summary="Isi FR.APL.01 dan FR.APL.02 satu angkatan uji",
)
async def submit_batch_forms(body: BatchForms, run: Run, response: Response) -> RosterReportBody:
    """Submit the forms of an assessment batch; the report has a line for each application."""
    lines = [
        FormsLine(
            application_id=line.application_id,
            version=line.version,
            form=line.apl_01.to_form() if line.apl_01 else None,
            self_assessment=line.apl_02.to_self_assessment() if line.apl_02 else None,
        )
        for line in body.lines
    ]
    report = await run(partial(roster_acts.submit_forms, lines))
    dependencies.set_etag(response, report)
    return RosterReportBody.of(report, _REASONS)


@router.post(
    "/v1/assessment-applications/unit-results",
    status_code=201,
    summary="Catat hasil per unit satu angkatan uji",
)
async def record_batch_results(
    body: BatchUnitResults, run: Run, response: Response
) -> RosterReportBody:
    """Record the assessor's results of an assessment batch; equal ones change nothing.

    The report has a line for each application.
    """
    lines = [
        UnitResultsLine(
            application_id=line.application_id, version=line.version, results=line.units
        )
        for line in body.lines
    ]
    report = await run(partial(roster_acts.record_results, lines))
    dependencies.set_etag(response, report)
    return RosterReportBody.of(report, _REASONS)
