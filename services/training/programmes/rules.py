"""Rules of programmes and their editions.

A published edition never changes, and a class is bound to one edition. Everybody reads programmes;
only officers of the owner publish editions, others copy. Not here: classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from chassis.caller import EVERYTHING, Caller
from chassis.errors import NotFound, Refused
from services.training.settings import TEXTS


class ProgrammeUnknown(NotFound):
    title = TEXTS["errors.programme_unknown"]


class EditionUnknown(NotFound):
    title = TEXTS["errors.edition_unknown"]


class UnitsRepeated(Refused):
    title = TEXTS["errors.units_repeated"]
    field = "units"


class OwnerNeeded(Refused):
    title = TEXTS["errors.owner_needed"]
    field = "owner"


class Branch(StrEnum):
    """The two branches of pembinaan: kemandirian (vocational) and kepribadian (personal)."""

    VOCATIONAL = "vocational"
    PERSONAL = "personal"


class EligibilityReason(StrEnum):
    """The reasons against an enrolment; a programme can set the severity of each."""

    NOT_PRESENT = "NOT_PRESENT"
    FACILITY_DIFFERS = "FACILITY_DIFFERS"
    RELEASE_BEFORE_CLASS_END = "RELEASE_BEFORE_CLASS_END"
    TPP_MISSING = "TPP_MISSING"
    TPP_NOT_RECOMMENDED = "TPP_NOT_RECOMMENDED"
    TPP_EXPIRED = "TPP_EXPIRED"
    TPP_NOT_APPROVED = "TPP_NOT_APPROVED"
    ALREADY_ENROLLED = "ALREADY_ENROLLED"
    ALREADY_COMPLETED = "ALREADY_COMPLETED"
    FACT_UNKNOWN = "FACT_UNKNOWN"


class Severity(StrEnum):
    """What a reason against an enrolment does."""

    BLOCK = "BLOCK"
    WARN = "WARN"
    INFO = "INFO"


class Excused(StrEnum):
    """How an excused absence counts: not at all, as absent, or as present."""

    EXCLUDED = "excluded"
    ABSENT = "absent"
    PRESENT = "present"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaughtUnit:
    """A unit of the national standard (SKKNI) that is taught."""

    code: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRule:
    """What completion demands.

    `min_attended_bps` is in basis points of the minutes held; a lesson hour (JP) has
    `lesson_minutes` minutes. Without `min_lesson_hours` (None, 0 in older editions) the same share
    of the edition's lesson hours is demanded.
    """

    min_attended_bps: int = 8_000
    min_lesson_hours: int | None = None
    lesson_minutes: int = 45
    required_parts: tuple[str, ...] = ()
    excused: Excused = Excused.EXCLUDED
    instructor_confirmation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EligibilityRule:
    """Who can be enrolled: what is required, and the severities that differ from BLOCK."""

    tpp_required: bool = True
    application_required: bool = True
    severities: dict[str, Severity] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One published version of a programme."""

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
    """A training programme with all its editions, oldest first.

    `owner` is the facility whose officers publish its editions; `*` means officers of every
    facility together.
    """

    id: str
    version: int = 0
    owner: str
    branch: Branch
    editions: tuple[Edition, ...] = ()

    @property
    def newest_edition(self) -> Edition:
        """The newest edition."""
        return self.editions[-1]

    def get_edition(self, number: int) -> Edition:
        """Return the edition with that number. Raises EditionUnknown."""
        if not 1 <= number <= len(self.editions):
            raise EditionUnknown
        return self.editions[number - 1]


def choose_owner(wanted: str, caller: Caller) -> str:
    """Return the owner of a new programme; by default the facility of the caller.

    Raises OwnerNeeded without a single facility, and for an owner whom the caller does not cover.
    """
    owner = wanted or caller.facility
    if not owner and caller.sees("facility", EVERYTHING):
        return EVERYTHING
    if not owner or not caller.sees("facility", owner):
        raise OwnerNeeded
    return owner


def require_owner(programme: Programme, caller: Caller) -> None:
    """Raise ProgrammeUnknown unless the caller covers the owner of the programme."""
    if not caller.sees("facility", programme.owner):
        raise ProgrammeUnknown


def copy(
    programme: Programme, number: int, id_: str, owner: str, now: datetime, by: str
) -> Programme:
    """Return a new programme of this owner, its first edition a copy of one of the programme.

    Number 0 means the newest edition. Raises EditionUnknown.
    """
    edition = programme.get_edition(number) if number else programme.newest_edition
    empty = Programme(id=id_, owner=owner, branch=programme.branch)
    return publish(empty, edition, now, by)


def publish(programme: Programme, edition: Edition, now: datetime, by: str) -> Programme:
    """Return the programme with one more edition, numbered next. Raises UnitsRepeated."""
    codes = [unit.code for unit in edition.units]
    if len(set(codes)) != len(codes):
        raise UnitsRepeated
    number = len(programme.editions) + 1
    published = replace(edition, number=number, published_at=now, published_by=by)
    return replace(programme, editions=(*programme.editions, published))


def severity_of(rule: EligibilityRule, code: str) -> Severity:
    """Return what a reason does under this rule; the default is BLOCK."""
    return rule.severities.get(code, Severity.BLOCK)
