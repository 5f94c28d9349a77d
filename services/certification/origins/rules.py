"""The origin of a candidate, kept apart from the certificate (certification 12.8).

Not here: the certificate, which holds only the opaque id of an origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from chassis.errors import NotFound
from services.certification.settings import TEXTS


class OriginUnknown(NotFound):
    title = TEXTS["errors.origin_unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The completed course behind an application.

    Only `participant_ref` ever changes, when training merges two records of one person.
    """

    id: str
    version: int = 0
    lsp_id: str
    participant_ref: str
    enrolment_id: str
    class_id: str
    programme_id: str
    programme_version: int
    course_title: str
    completed_on: date
    instructor_refs: frozenset[str]
