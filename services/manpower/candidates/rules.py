"""What is allowed: candidates, built from what other services tell. Every rule gives the same candidate for the same facts in any order.

Only the month of release is kept, so that nothing shown (nor a bucket that flips) can tell the day. Offence and sentence are never told to us.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import NotFound, Refused
from services.manpower import texts
from services.manpower.agencies.rules import RegencyCode
from services.manpower.visibility.rules import ConsentShare, Visibility


class CandidateUnknown(NotFound):
    """No such candidate for this caller."""


class CandidateGone(Refused):
    """The person's time with us has ended for good."""

    title = texts.CANDIDATE_GONE


class Custody(StrEnum):
    """Where the person is, as far as work is concerned."""

    INSIDE = "inside"
    RELEASED = "released"
    ENDED = "ended"


RELEASE_KINDS: dict[str, Custody] = {
    "free": Custody.RELEASED,
    "conditional_release": Custody.RELEASED,
    "conditional_leave": Custody.RELEASED,
    "leave_before_release": Custody.RELEASED,
    "death": Custody.ENDED,
    "escape": Custody.ENDED,
}


class Horizon(StrEnum):
    """Months until the month of release."""

    UP_TO_1 = "0-1"
    UP_TO_3 = "1-3"
    UP_TO_6 = "3-6"
    UP_TO_12 = "6-12"
    OVER_12 = "12+"
    UNKNOWN = "unknown"
    RELEASED = "released"


class Standing(StrEnum):
    """Whether a certificate counts. Revoked is final."""

    ISSUED = "issued"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class Attention(StrEnum):
    """What an officer should look at."""

    RELEASE_KIND_UNKNOWN = "release_kind_unknown"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SourceOrder:
    """When a fact was told: by the source's clock, then by its place in the person's order."""

    at: datetime
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """A movement as training tells it; `admitted_at` is when an admission was published, None for any other movement."""

    candidate_id: str
    facility_id: str
    custody: Custody
    kind: str
    effective_on: date
    source_order: SourceOrder
    admitted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """What the last movement said."""

    custody: Custody
    kind: str
    effective_on: date
    told: SourceOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePlan:
    """The expected month of release (`2027-03`) and its kind."""

    month: str
    kind: str
    told: SourceOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit of competence (SKKNI)."""

    code: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateContent:
    """What a certificate says, as certification tells it; it holds from `valid_from` to just before `valid_until`."""

    scheme_id: str
    scheme_title: str
    units: tuple[Unit, ...]
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """A certificate held. Its content and its standing may arrive in any order; `content` is None until it is told."""

    certificate_id: str
    content: CertificateContent | None = None
    standing: Standing = Standing.ISSUED
    standing_told: SourceOrder | None = None

    def is_valid(self, now: datetime) -> bool:
        """Whether it counts at this instant: told, neither suspended nor revoked, and within its validity."""
        return (
            self.standing is Standing.ISSUED
            and self.content is not None
            and self.content.valid_from <= now < self.content.valid_until
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A course completed."""

    enrolment_id: str
    title: str
    units: tuple[Unit, ...]
    lesson_hours: int
    completed_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkMonth:
    """Work in one workshop in one month: the whole total, told anew with each change and, for the survivor, with a merge."""

    workshop_id: str
    month: str
    unit_kind: str
    units_total: int
    told: SourceOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A person on the way to work; `id` is the opaque participant_ref. `engaged` = there are consents, applications or placements."""

    id: str
    version: int = 0
    stay: Stay
    admitted_at: datetime | None = None
    visibility: Visibility
    plan: ReleasePlan | None = None
    skills: tuple[Skill, ...] = ()
    courses: tuple[Course, ...] = ()
    work: tuple[WorkMonth, ...] = ()
    attention: frozenset[Attention] = field(default_factory=frozenset[Attention])
    engaged: bool = False


# Movements


def record_movement(candidate: Candidate | None, movement: Movement) -> Candidate:
    """The candidate after a movement. One told before the last is ignored, so that any order gives one state; the first makes the candidate."""
    stay = Stay(
        custody=movement.custody,
        kind=movement.kind,
        effective_on=movement.effective_on,
        told=movement.source_order,
    )
    if candidate is None:
        return Candidate(
            id=movement.candidate_id,
            stay=stay,
            admitted_at=movement.admitted_at,
            visibility=Visibility(facility_id=movement.facility_id),
        )
    admitted_at = _latest(candidate.admitted_at, movement.admitted_at)
    if movement.source_order <= candidate.stay.told:
        return (
            candidate
            if admitted_at == candidate.admitted_at
            else replace(candidate, admitted_at=admitted_at)
        )
    return replace(
        candidate,
        stay=stay,
        admitted_at=admitted_at,
        visibility=replace(candidate.visibility, facility_id=movement.facility_id),
    )


def request_attention(candidate: Candidate, attention: Attention) -> Candidate:
    """The candidate with a task for an officer."""
    return replace(candidate, attention=candidate.attention | {attention})


def clear_attention(candidate: Candidate, attention: Attention) -> Candidate:
    """The candidate after an officer looked at it."""
    return replace(candidate, attention=candidate.attention - {attention})


def require_present(candidate: Candidate) -> None:
    """CandidateGone after death or escape."""
    if candidate.stay.custody is Custody.ENDED:
        raise CandidateGone


def plan_release(
    candidate: Candidate, expected_on: date, kind: str, source_order: SourceOrder
) -> Candidate:
    """The candidate with its expected month of release; the day is dropped here. The plan told last counts."""
    if candidate.plan is not None and source_order <= candidate.plan.told:
        return candidate
    return replace(
        candidate, plan=ReleasePlan(month=f"{expected_on:%Y-%m}", kind=kind, told=source_order)
    )


def record_residence(candidate: Candidate, regency_code: RegencyCode) -> Candidate:
    """The candidate with the regency on the KTP (the address, not the prefix of the NIK)."""
    return replace(candidate, visibility=replace(candidate.visibility, regency_code=regency_code))


def available_from(candidate: Candidate) -> str | None:
    """The month from which the person can work; None = not known. A plan of a former stay does not count after a readmission."""
    if candidate.stay.custody is Custody.RELEASED:
        return f"{candidate.stay.effective_on:%Y-%m}"
    plan, admitted = candidate.plan, candidate.admitted_at
    counts = (
        plan is not None
        and candidate.stay.custody is Custody.INSIDE
        and (admitted is None or plan.told.at >= admitted)
    )
    return plan.month if plan is not None and counts else None


def release_horizon(candidate: Candidate, today: date) -> Horizon:
    """The bucket of months until release, counted in calendar months: it flips on the first of a month for everybody."""
    if candidate.stay.custody is Custody.RELEASED:
        return Horizon.RELEASED
    month = available_from(candidate)
    if month is None:
        return Horizon.UNKNOWN
    ahead = int(month[:4]) * 12 + int(month[5:]) - today.year * 12 - today.month
    limits = (
        (1, Horizon.UP_TO_1),
        (3, Horizon.UP_TO_3),
        (6, Horizon.UP_TO_6),
        (12, Horizon.UP_TO_12),
    )
    return next((bucket for limit, bucket in limits if ahead <= limit), Horizon.OVER_12)


# Skills and experience


def record_certificate(
    candidate: Candidate, certificate_id: str, content: CertificateContent
) -> Candidate:
    """The candidate with what a certificate says; its standing, if told before, stays."""
    skill = _find_skill(candidate, certificate_id)
    return _replace_skill(candidate, replace(skill, content=skill.content or content))


def record_standing(
    candidate: Candidate, certificate_id: str, standing: Standing, source_order: SourceOrder
) -> Candidate:
    """The candidate with a certificate's new standing: revoked is final, else the one told last counts."""
    skill = _find_skill(candidate, certificate_id)
    if skill.standing_told is not None and (standing is Standing.REVOKED, source_order) <= (
        skill.standing is Standing.REVOKED,
        skill.standing_told,
    ):
        return candidate
    return _replace_skill(candidate, replace(skill, standing=standing, standing_told=source_order))


def held_units(candidate: Candidate, now: datetime) -> frozenset[str]:
    """The codes of the units proved by certificates that count at this instant."""
    return frozenset(
        unit.code
        for skill in candidate.skills
        if skill.content is not None and skill.is_valid(now)
        for unit in skill.content.units
    )


def record_course(candidate: Candidate, course: Course) -> Candidate:
    """The candidate with a completed course; the same enrolment counts once."""
    if any(known.enrolment_id == course.enrolment_id for known in candidate.courses):
        return candidate
    return replace(
        candidate,
        courses=tuple(sorted((*candidate.courses, course), key=lambda each: each.enrolment_id)),
    )


def record_work(candidate: Candidate, entry: WorkMonth) -> Candidate:
    """The candidate with a month's total in a workshop; the total told last replaces the former one."""
    others = tuple(each for each in candidate.work if _work_key(each) != _work_key(entry))
    former = next((each for each in candidate.work if _work_key(each) == _work_key(entry)), None)
    if former is not None and entry.told <= former.told:
        return candidate
    return replace(candidate, work=tuple(sorted((*others, entry), key=_work_key)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """All work in one workshop, by unit kind."""

    workshop_id: str
    unit_kind: str
    units_total: int
    months: int


def sum_experience(candidate: Candidate) -> list[Experience]:
    """What the person worked, per workshop and unit kind, in order."""
    keys = sorted({(each.workshop_id, each.unit_kind) for each in candidate.work})
    return [
        Experience(
            workshop_id=workshop,
            unit_kind=kind,
            units_total=sum(each.units_total for each in entries),
            months=len({each.month for each in entries if each.units_total > 0}),
        )
        for workshop, kind in keys
        if (
            entries := [
                each
                for each in candidate.work
                if (each.workshop_id, each.unit_kind) == (workshop, kind)
            ]
        )
    ]


def outside_view(candidate: Candidate) -> tuple[object, ...]:
    """What an outside reader could see differ; a transfer inside or an officer's task is no part of it."""
    return (
        candidate.skills,
        candidate.courses,
        candidate.work,
        available_from(candidate),
        candidate.visibility.regency_code,
    )


# Consents and merge


def add_share(candidate: Candidate, share: ConsentShare) -> Candidate:
    """The candidate with one more consent in force."""
    shares = tuple(
        sorted(
            (
                *(
                    each
                    for each in candidate.visibility.shares
                    if each.consent_id != share.consent_id
                ),
                share,
            ),
            key=lambda each: each.consent_id,
        )
    )
    return replace(candidate, engaged=True, visibility=replace(candidate.visibility, shares=shares))


def remove_shares(candidate: Candidate, consent_ids: Iterable[str]) -> Candidate:
    """The candidate without these consents."""
    gone = frozenset(consent_ids)
    return replace(
        candidate,
        visibility=replace(
            candidate.visibility,
            shares=tuple(
                each for each in candidate.visibility.shares if each.consent_id not in gone
            ),
        ),
    )


def mark_engaged(candidate: Candidate) -> Candidate:
    """The candidate with something that must follow its movements."""
    return replace(candidate, engaged=True)


def merge(into_candidate: Candidate | None, from_candidate: Candidate, into_id: str) -> Candidate:
    """The surviving candidate with all that was known of the other one: the same result whatever came before or after the merge."""
    if into_candidate is None:
        return replace(from_candidate, id=into_id, version=0)
    later = (
        from_candidate if from_candidate.stay.told > into_candidate.stay.told else into_candidate
    )
    survivor = replace(
        into_candidate,
        stay=later.stay,
        admitted_at=_latest(into_candidate.admitted_at, from_candidate.admitted_at),
        visibility=Visibility(
            facility_id=later.visibility.facility_id,
            regency_code=into_candidate.visibility.regency_code
            or from_candidate.visibility.regency_code,
            shares=into_candidate.visibility.shares,
        ),
        attention=into_candidate.attention | from_candidate.attention,
        engaged=into_candidate.engaged or from_candidate.engaged,
    )
    if from_candidate.plan is not None:
        survivor = replace(
            survivor,
            plan=max(
                filter(None, (into_candidate.plan, from_candidate.plan)), key=lambda plan: plan.told
            ),
        )
    for skill in from_candidate.skills:
        if skill.content is not None:
            survivor = record_certificate(survivor, skill.certificate_id, skill.content)
        if skill.standing_told is not None:
            survivor = record_standing(
                survivor, skill.certificate_id, skill.standing, skill.standing_told
            )
    for course in from_candidate.courses:
        survivor = record_course(survivor, course)
    for entry in from_candidate.work:
        survivor = record_work(survivor, entry)
    for share in from_candidate.visibility.shares:
        survivor = add_share(survivor, share)
    return survivor


def _latest(first: datetime | None, second: datetime | None) -> datetime | None:
    return max((each for each in (first, second) if each is not None), default=None)


def _find_skill(candidate: Candidate, certificate_id: str) -> Skill:
    return next(
        (each for each in candidate.skills if each.certificate_id == certificate_id),
        Skill(certificate_id=certificate_id),
    )


def _replace_skill(candidate: Candidate, skill: Skill) -> Candidate:
    others = (each for each in candidate.skills if each.certificate_id != skill.certificate_id)
    skills = tuple(sorted((*others, skill), key=lambda each: each.certificate_id))
    return candidate if skills == candidate.skills else replace(candidate, skills=skills)


def _work_key(entry: WorkMonth) -> tuple[str, str, str]:
    return (entry.workshop_id, entry.month, entry.unit_kind)
