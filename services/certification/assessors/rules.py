"""Rules of assessors: their licence and their scope at one LSP (certification section 8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from chassis.errors import Conflict, NotFound
from services.certification.reasons import Reason
from services.certification.settings import TEXTS


class AssessorUnknown(NotFound):
    title = TEXTS["errors.assessor_unknown"]


class AssessorKnown(Conflict):
    title = TEXTS["errors.assessor_known"]
    field = "met_no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessor:
    """A licensed assessor at one LSP.

    The MET number identifies the person at all LSPs. `instructor_refs` are the references under
    which training knows the same person as instructor.
    """

    id: str
    version: int = 0
    lsp_id: str
    name: str
    met_no: str
    met_valid_until: date
    scheme_refs: frozenset[str]
    instructor_refs: frozenset[str] = frozenset()


def require_new_met_no(holder: Assessor | None) -> None:
    """Raise AssessorKnown when an assessor of the LSP has the MET number already."""
    if holder is not None:
        raise AssessorKnown


def reasons_against_assessment(
    assessor: Assessor, scheme_ref: str, on: date, trained_by: frozenset[str]
) -> list[Reason]:
    """Return why the assessor may not assess on that day; empty means allowed.

    `trained_by` are the instructors who trained the candidate.
    """
    reasons: list[Reason] = []
    if on > assessor.met_valid_until:
        reasons.append(Reason.MET_EXPIRED)
    if scheme_ref not in assessor.scheme_refs:
        reasons.append(Reason.ASSESSOR_OUT_OF_SCOPE)
    if not assessor.instructor_refs.isdisjoint(trained_by):
        reasons.append(Reason.ASSESSOR_TRAINED_CANDIDATE)
    return reasons
