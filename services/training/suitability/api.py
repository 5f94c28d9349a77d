"""Routes that report the suitability of one participant, or of many, for a class."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from chassis.http import dependencies
from services.training.programmes.rules import Severity
from services.training.settings import TEXTS
from services.training.suitability import usecases
from services.training.suitability.rules import SuitabilityReason
from services.training.transaction import Run

router = APIRouter(tags=["Kelas"])
Ref = Annotated[str, Field(min_length=1, max_length=64)]


class ReasonBody(BaseModel):
    """One reason: its severity and the facts behind it, with their source and moment."""

    code: str
    message: str
    severity: Severity
    facts: dict[str, str]
    source: str
    as_of: datetime

    @classmethod
    def of(cls, reason: SuitabilityReason) -> ReasonBody:
        """Return the body of a reason."""
        return cls(
            code=reason.code,
            message=TEXTS[f"suitability.{reason.code}"].localised,
            severity=reason.severity,
            facts=reason.facts,
            source=reason.source,
            as_of=reason.as_of,
        )


class SuitabilityBody(BaseModel):
    """All reasons against the enrolment; empty when nothing prevents it."""

    class_id: str
    participant_ref: str
    reasons: list[ReasonBody]


class Candidates(BaseModel):
    """The people whose suitability is asked for."""

    model_config = dependencies.STRICT
    participant_refs: Annotated[list[Ref], Field(min_length=1, max_length=500)]


class CandidateBody(BaseModel):
    """All reasons against one person."""

    participant_ref: str
    reasons: list[ReasonBody]


class CandidatesBody(BaseModel):
    """The people in the caller's scope, in the order asked for; others are left out."""

    class_id: str
    items: list[CandidateBody]


@router.get(
    "/v1/classes/{class_id}/suitability/{participant_ref}",
    summary="Kesesuaian warga binaan dengan kelas",
)
async def report(class_id: str, participant_ref: str, run: Run) -> SuitabilityBody:
    """Report every reason, by the same rules that the enrolment checks."""
    reasons = await run(partial(usecases.read_suitability, class_id, participant_ref))
    bodies = [ReasonBody.of(reason) for reason in reasons]
    return SuitabilityBody(class_id=class_id, participant_ref=participant_ref, reasons=bodies)


@router.post(
    "/v1/classes/{class_id}/suitability", summary="Kesesuaian banyak warga binaan dengan kelas"
)
async def report_many(class_id: str, body: Candidates, run: Run) -> CandidatesBody:
    """Report the reasons against up to 500 people at once; nothing changes."""
    found = await run(partial(usecases.read_suitability_of_many, class_id, body.participant_refs))
    items = [
        CandidateBody(participant_ref=ref, reasons=[ReasonBody.of(reason) for reason in reasons])
        for ref, reasons in found.items()
    ]
    return CandidatesBody(class_id=class_id, items=items)
