"""What is allowed: programmes and their editions. A published edition never changes; a class is bound to one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from chassis.errors import NotFound, Refused


class ProgrammeUnknown(NotFound):
    title = "Program pelatihan tidak ditemukan"


class EditionUnknown(NotFound):
    title = "Edisi program tidak ditemukan"


class UnitsRepeated(Refused):
    title = "Satu kode unit hanya boleh tercantum sekali"
    field = "units"


class Branch(StrEnum):
    """The two branches of pembinaan: kemandirian and kepribadian."""

    VOCATIONAL = "vocational"
    PERSONAL = "personal"


class Severity(StrEnum):
    """What a reason against enrolment does."""

    BLOCK = "BLOCK"
    WARN = "WARN"
    INFO = "INFO"


class Excused(StrEnum):
    """How an excused absence counts: left out of both sides, as absent, or as present."""

    EXCLUDED = "excluded"
    ABSENT = "absent"
    PRESENT = "present"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaughtUnit:
    """A unit of the national standard that is taught."""

    code: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRule:
    """What it takes to complete. Basis points of the minutes held; a lesson hour (JP) has `lesson_minutes`."""

    min_attended_bps: int = 8_000
    min_lesson_hours: int = 0
    lesson_minutes: int = 45
    required_parts: tuple[str, ...] = ()
    excused: Excused = Excused.EXCLUDED
    instructor_confirmation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EligibilityRule:
    """Who may be enrolled: what is demanded, and the severity of each reason that differs from BLOCK."""

    tpp_required: bool = True
    application_required: bool = True
    severities: dict[str, Severity] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One published form of a programme."""

    number: int
    title: str
    units: tuple[TaughtUnit, ...]
    scheme_ref: str
    lesson_hours: int
    outside: bool
    provider_neutral_name: str
    completion: CompletionRule
    eligibility: EligibilityRule
    published_at: datetime | None = None
    published_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """A training programme with all its editions, oldest first."""

    id: str
    version: int = 0
    branch: Branch
    editions: tuple[Edition, ...] = ()

    @property
    def newest_edition(self) -> Edition:
        """The newest edition."""
        return self.editions[-1]

    def get_edition(self, number: int) -> Edition:
        """The edition of that number; EditionUnknown when there is none."""
        if not 1 <= number <= len(self.editions):
            raise EditionUnknown
        return self.editions[number - 1]


def publish(programme: Programme, edition: Edition, now: datetime, by: str) -> Programme:
    """The programme with one more edition; its number is the next one."""
    codes = [unit.code for unit in edition.units]
    if len(set(codes)) != len(codes):
        raise UnitsRepeated
    return replace(
        programme,
        editions=(
            *programme.editions,
            replace(edition, number=len(programme.editions) + 1, published_at=now, published_by=by),
        ),
    )


def severity_of(rule: EligibilityRule, code: str) -> Severity:
    """What a reason does under this rule."""
    return rule.severities.get(code, Severity.BLOCK)
