"""The route that reports the suitability of a participant for a class."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from fastapi import APIRouter
from pydantic import BaseModel

from services.training.programmes.rules import Severity
from services.training.settings import TEXTS
from services.training.suitability import usecases
from services.training.transaction import Run

router = APIRouter(tags=["Kelas"])


class ReasonBody(BaseModel):
    """One reason: its severity and the facts behind it, with their source and moment."""

    code: str
    message: str
    severity: Severity
    facts: dict[str, str]
    source: str
    as_of: datetime


class SuitabilityBody(BaseModel):
    """All reasons against the enrolment; empty when nothing prevents it."""

    class_id: str
    participant_ref: str
    reasons: list[ReasonBody]


@router.get(
    "/v1/classes/{class_id}/suitability/{participant_ref}",
    summary="Kesesuaian warga binaan dengan kelas",
)
async def report(class_id: str, participant_ref: str, run: Run) -> SuitabilityBody:
    """Report every reason, by the same rules that the enrolment checks."""
    reasons = await run(partial(usecases.read_suitability, class_id, participant_ref))
    bodies = [
        ReasonBody(
            code=reason.code,
            message=TEXTS[f"suitability.{reason.code}"].id,
            severity=reason.severity,
            facts=reason.facts,
            source=reason.source,
            as_of=reason.as_of,
        )
        for reason in reasons
    ]
    return SuitabilityBody(class_id=class_id, participant_ref=participant_ref, reasons=bodies)
