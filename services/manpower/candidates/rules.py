"""Rules of candidates, who are built from the events of other services.

Every rule gives the same candidate for the same facts in any order. Only the month of release is
stored, so that neither a response nor a change of the horizon can reveal the day. Offence and
sentence never reach this service.
Not here: certificates, courses and work themselves (skills).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import NotFound, Refused
from services.manpower.agencies.rules import RegencyCode
from services.manpower.candidates.custody import Custody, Movement, Stay
from services.manpower.candidates.skills import (
    CertificateContent,
    Course,
    Skill,
    SourceOrder,
    Standing,
    WorkMonth,
)
from services.manpower.settings import TEXTS
from services.manpower.visibility.rules import (
    ConsentShare,
    Reader,
    Subject,
    Visibility,
    restrict_to_subject,
    share_for,
)


class CandidateUnknown(NotFound):
    """No such candidate for this caller."""


class CandidateGone(Refused):
    """The person died, escaped or was deported."""

    title = TEXTS["errors.candidate_gone"]


class Horizon(StrEnum):
    """Calendar months until the month of release."""

    UP_TO_1 = "0-1"
    UP_TO_3 = "1-3"
    UP_TO_6 = "3-6"
    UP_TO_12 = "6-12"
    OVER_12 = "12+"
    UNKNOWN = "unknown"
    RELEASED = "released"


_HORIZON_LIMITS = (
    (1, Horizon.UP_TO_1),
    (3, Horizon.UP_TO_3),
    (6, Horizon.UP_TO_6),
    (12, Horizon.UP_TO_12),
)


class Attention(StrEnum):
    """A question about a candidate that an officer must settle."""

    RELEASE_KIND_UNKNOWN = "release_kind_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePlan:
    """The expected month of release (`2027-03`) and its kind."""

    month: str
    kind: str
    told: SourceOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A person on the way to work; `id` is the opaque `participant_ref`.

    `engaged` is true once there are consents, applications or placements.
    """

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

    @property
    def outside_visibility(self) -> Visibility:
        """The visibility for outside readers."""
        return restrict_to_subject(self.visibility, Subject.CANDIDATE)


def record_movement(candidate: Candidate | None, movement: Movement) -> Candidate:
    """Return the candidate after a movement; the first movement creates the candidate.

    A movement older than the last one is ignored, so that any order gives the same state.
    """
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
    if admitted_at != candidate.admitted_at:
        candidate = replace(candidate, admitted_at=admitted_at)
    if movement.source_order <= candidate.stay.told:
        return candidate
    visibility = replace(candidate.visibility, facility_id=movement.facility_id)
    return replace(candidate, stay=stay, visibility=visibility)


def has_custody_ended(before: Candidate, after: Candidate) -> bool:
    """Return whether this change of a candidate ended the custody, by death or escape."""
    return after.stay.custody is Custody.ENDED and before.stay.custody is not Custody.ENDED


def request_attention(candidate: Candidate, attention: Attention) -> Candidate:
    """Return the candidate with a question for an officer."""
    return replace(candidate, attention=candidate.attention | {attention})


def clear_attention(candidate: Candidate, settled: Iterable[Attention]) -> Candidate:
    """Return the candidate without the questions that an officer settled."""
    return replace(candidate, attention=candidate.attention - frozenset(settled))


def require_present(candidate: Candidate) -> None:
    """Raise CandidateGone after death or escape."""
    if candidate.stay.custody is Custody.ENDED:
        raise CandidateGone


def require_share(candidate: Candidate, reader: Reader | None, now: datetime) -> ConsentShare:
    """Return the consent by which the reader sees the candidate. Raises CandidateUnknown."""
    share = None if reader is None else share_for(candidate.visibility, reader, now)
    if share is None:
        raise CandidateUnknown
    return share


def plan_release(
    candidate: Candidate, expected_on: date, kind: str, source_order: SourceOrder
) -> Candidate:
    """Return the candidate with its expected month of release. The latest plan counts."""
    if candidate.plan is not None and source_order <= candidate.plan.told:
        return candidate
    plan = ReleasePlan(month=f"{expected_on:%Y-%m}", kind=kind, told=source_order)
    return replace(candidate, plan=plan)


def record_residence(candidate: Candidate, regency_code: RegencyCode) -> Candidate:
    """Return the candidate with the regency of the address on the KTP, not that of the NIK."""
    return replace(candidate, visibility=replace(candidate.visibility, regency_code=regency_code))


def available_from(candidate: Candidate) -> str | None:
    """Return the month from which the person can work; None = unknown.

    After a readmission the plan of the former stay does not count.
    """
    if candidate.stay.custody is Custody.RELEASED:
        return f"{candidate.stay.effective_on:%Y-%m}"
    if candidate.stay.custody is not Custody.INSIDE or candidate.plan is None:
        return None
    admitted_at = candidate.admitted_at
    if admitted_at is not None and candidate.plan.told.at < admitted_at:
        return None
    return candidate.plan.month


def release_horizon(candidate: Candidate, today: date) -> Horizon:
    """Return the horizon of the release; it changes on the first of a month for everybody."""
    if candidate.stay.custody is Custody.RELEASED:
        return Horizon.RELEASED
    month = available_from(candidate)
    if month is None:
        return Horizon.UNKNOWN
    release_month = int(month[:4]) * 12 + int(month[5:])
    months_ahead = release_month - (today.year * 12 + today.month)
    for limit, horizon in _HORIZON_LIMITS:
        if months_ahead <= limit:
            return horizon
    return Horizon.OVER_12


def release_kind(candidate: Candidate) -> str | None:
    """Return the kind of the release, or of the planned one; None = unknown."""
    if candidate.stay.custody is Custody.RELEASED:
        return candidate.stay.kind
    if candidate.plan is None:
        return None
    return candidate.plan.kind or None


def record_certificate(
    candidate: Candidate, certificate_id: str, content: CertificateContent
) -> Candidate:
    """Return the candidate with a certificate's content; a standing that came earlier is kept."""
    skill = _find_skill(candidate, certificate_id)
    return _replace_skill(candidate, replace(skill, content=skill.content or content))


def record_standing(
    candidate: Candidate, certificate_id: str, standing: Standing, source_order: SourceOrder
) -> Candidate:
    """Return the candidate with a certificate's new standing.

    Revoked is final; otherwise the latest standing counts.
    """
    skill = _find_skill(candidate, certificate_id)
    if skill.standing_told is not None:
        new_rank = (standing is Standing.REVOKED, source_order)
        present_rank = (skill.standing is Standing.REVOKED, skill.standing_told)
        if new_rank <= present_rank:
            return candidate
    return _replace_skill(candidate, replace(skill, standing=standing, standing_told=source_order))


def held_units(candidate: Candidate, now: datetime) -> frozenset[str]:
    """Return the codes of the units that valid certificates prove at this moment."""
    codes: set[str] = set()
    for skill in candidate.skills:
        if skill.content is not None and skill.is_valid(now):
            codes.update(unit.code for unit in skill.content.units)
    return frozenset(codes)


def record_course(candidate: Candidate, course: Course) -> Candidate:
    """Return the candidate with a completed course; the same enrolment counts once."""
    courses = {held.enrolment_id: held for held in candidate.courses}
    if course.enrolment_id in courses:
        return candidate
    courses[course.enrolment_id] = course
    return replace(candidate, courses=tuple(course for _, course in sorted(courses.items())))


def record_work(candidate: Candidate, entry: WorkMonth) -> Candidate:
    """Return the candidate with a month's total in a workshop; the latest total counts."""
    entries = {former.key: former for former in candidate.work}
    former = entries.get(entry.key)
    if former is not None and entry.told <= former.told:
        return candidate
    entries[entry.key] = entry
    return replace(candidate, work=tuple(entry for _, entry in sorted(entries.items())))


def outside_view(candidate: Candidate) -> tuple[object, ...]:
    """Return the values whose change an outside reader can see: no transfer, no attention."""
    return (
        candidate.skills,
        candidate.courses,
        candidate.work,
        available_from(candidate),
        candidate.visibility.regency_code,
    )


def add_share(candidate: Candidate, share: ConsentShare) -> Candidate:
    """Return the candidate with one more consent in force."""
    shares = {held.consent_id: held for held in candidate.visibility.shares}
    shares[share.consent_id] = share
    return replace(_with_shares(candidate, shares.values()), engaged=True)


def remove_shares(candidate: Candidate, consent_ids: Iterable[str]) -> Candidate:
    """Return the candidate without these consents."""
    removed = frozenset(consent_ids)
    shares = candidate.visibility.shares
    return _with_shares(candidate, [share for share in shares if share.consent_id not in removed])


def mark_engaged(candidate: Candidate) -> Candidate:
    """Return the candidate marked as having consents, applications or placements."""
    return replace(candidate, engaged=True)


def merge(into_candidate: Candidate | None, from_candidate: Candidate, into_id: str) -> Candidate:
    """Return the surviving candidate with all facts of both.

    The result is the same whether a fact came before or after the merge.
    """
    if into_candidate is None:
        return replace(from_candidate, id=into_id, version=0)
    survivor = _merge_stays(into_candidate, from_candidate)
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


def _merge_stays(into: Candidate, other: Candidate) -> Candidate:
    latest = other if other.stay.told > into.stay.told else into
    plans = [plan for plan in (into.plan, other.plan) if plan is not None]
    visibility = Visibility(
        facility_id=latest.visibility.facility_id,
        regency_code=into.visibility.regency_code or other.visibility.regency_code,
        shares=into.visibility.shares,
    )
    return replace(
        into,
        stay=latest.stay,
        admitted_at=_latest(into.admitted_at, other.admitted_at),
        visibility=visibility,
        plan=max(plans, key=lambda plan: plan.told, default=None),
        attention=into.attention | other.attention,
        engaged=into.engaged or other.engaged,
    )


def _latest(first: datetime | None, second: datetime | None) -> datetime | None:
    moments = [moment for moment in (first, second) if moment is not None]
    return max(moments, default=None)


def _with_shares(candidate: Candidate, shares: Iterable[ConsentShare]) -> Candidate:
    ordered = tuple(sorted(shares, key=lambda share: share.consent_id))
    return replace(candidate, visibility=replace(candidate.visibility, shares=ordered))


def _find_skill(candidate: Candidate, certificate_id: str) -> Skill:
    for skill in candidate.skills:
        if skill.certificate_id == certificate_id:
            return skill
    return Skill(certificate_id=certificate_id)


def _replace_skill(candidate: Candidate, skill: Skill) -> Candidate:
    skills = {held.certificate_id: held for held in candidate.skills}
    skills[skill.certificate_id] = skill
    ordered = tuple(skill for _, skill in sorted(skills.items()))
    return candidate if ordered == candidate.skills else replace(candidate, skills=ordered)
