"""What is allowed: assessors, their licence and their scope at one LSP (certification section 8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from chassis.errors import Conflict, NotFound
from services.certification.reasons import Reason


class AssessorUnknown(NotFound):
    title = "Asesor tidak ditemukan"


class AssessorKnown(Conflict):
    title = "Asesor dengan nomor MET ini sudah tercatat pada LSP ini"
    field = "met_no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessor:
    """A licensed assessor at one LSP. The MET number is the person through all LSPs; `instructor_refs` are what training calls the same person."""

    id: str
    version: int = 0
    lsp_id: str
    name: str
    met_no: str
    met_valid_until: date
    scheme_refs: frozenset[str]
    instructor_refs: frozenset[str] = frozenset()


def reasons_against_assessment(
    assessor: Assessor, scheme_ref: str, on: date, trained_by: frozenset[str]
) -> list[Reason]:
    """Why this assessor may not assess on that day a candidate whom these instructors trained."""
    found: list[Reason] = []
    if on > assessor.met_valid_until:
        found.append(Reason.MET_EXPIRED)
    if scheme_ref not in assessor.scheme_refs:
        found.append(Reason.ASSESSOR_OUT_OF_SCOPE)
    if assessor.instructor_refs & trained_by:
        found.append(Reason.ASSESSOR_TRAINED_CANDIDATE)
    return found
