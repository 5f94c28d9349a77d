"""How the suitability of a participant for a class is asked for."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from fastapi import APIRouter
from pydantic import BaseModel

from services.training import texts
from services.training.programmes.rules import Severity
from services.training.suitability import usecases
from services.training.transaction import Run

router = APIRouter(tags=["Kelas"])


class ReasonBody(BaseModel):
    """One reason: what it does and the facts it rests on, as of when."""

    code: str
    message: str
    severity: Severity
    facts: dict[str, str]
    source: str
    as_of: datetime


class SuitabilityBody(BaseModel):
    """All reasons; none means that nothing stands against it."""

    class_id: str
    participant_ref: str
    reasons: list[ReasonBody]


@router.get(
    "/v1/classes/{class_id}/suitability/{participant_ref}",
    summary="Kesesuaian warga binaan dengan kelas",
)
async def report(class_id: str, participant_ref: str, run: Run) -> SuitabilityBody:
    """The same rules that the enrolment checks."""
    reasons = await run(partial(usecases.report, class_id, participant_ref))
    bodies = [
        ReasonBody(
            code=one.code,
            message=texts.REASONS[one.code],
            severity=one.severity,
            facts=one.facts,
            source=one.source,
            as_of=one.as_of,
        )
        for one in reasons
    ]
    return SuitabilityBody(class_id=class_id, participant_ref=participant_ref, reasons=bodies)
