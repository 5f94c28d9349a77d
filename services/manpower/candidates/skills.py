"""What a candidate proves: certificates, courses and work in a workshop.

Not here: the candidate, and how events change it (rules).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum


class Standing(StrEnum):
    """Whether a certificate counts. Revoked is final."""

    ISSUED = "issued"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SourceOrder:
    """The order of a fact at its source: by the source's clock, then by its number in the key."""

    at: datetime
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit of competence (SKKNI)."""

    code: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateContent:
    """What a certificate says; it is valid from `valid_from` to just before `valid_until`."""

    scheme_id: str
    scheme_title: str
    units: tuple[Unit, ...]
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """A certificate that the candidate holds.

    Its content and its standing may arrive in any order; `content` is None until it arrives.
    """

    certificate_id: str
    content: CertificateContent | None = None
    standing: Standing = Standing.ISSUED
    standing_told: SourceOrder | None = None

    def is_valid(self, now: datetime) -> bool:
        """Return whether the certificate counts now: issued and within its validity."""
        if self.standing is not Standing.ISSUED or self.content is None:
            return False
        return self.content.valid_from <= now < self.content.valid_until


def rename_skill(
    skills: tuple[Skill, ...], certificate_id: str, replaced_by: str
) -> tuple[Skill, ...]:
    """Return the skills with a certificate under the id of its re-issue; unknown ones stay."""
    by_id = {skill.certificate_id: skill for skill in skills}
    held = by_id.pop(certificate_id, None)
    if held is not None:
        by_id[replaced_by] = replace(held, certificate_id=replaced_by)
    return tuple(skill for _, skill in sorted(by_id.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A completed course."""

    enrolment_id: str
    title: str
    units: tuple[Unit, ...]
    lesson_hours: int
    completed_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkMonth:
    """The total of work in one workshop in one month.

    Each change publishes the new total; after a merge, under the surviving reference.
    """

    workshop_id: str
    month: str
    unit_kind: str
    units_total: int
    told: SourceOrder

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies the total among those of one candidate."""
        return self.workshop_id, self.month, self.unit_kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """All work in one workshop in one unit kind; `months` counts those with any work."""

    workshop_id: str
    unit_kind: str
    units_total: int
    months: int


def sum_experience(work: Iterable[WorkMonth]) -> list[Experience]:
    """Return the work per workshop and unit kind, ordered by both."""
    entries_by_key: dict[tuple[str, str], list[WorkMonth]] = {}
    for entry in work:
        entries_by_key.setdefault((entry.workshop_id, entry.unit_kind), []).append(entry)
    return [
        Experience(
            workshop_id=workshop_id,
            unit_kind=unit_kind,
            units_total=sum(entry.units_total for entry in entries),
            months=len({entry.month for entry in entries if entry.units_total > 0}),
        )
        for (workshop_id, unit_kind), entries in sorted(entries_by_key.items())
    ]
