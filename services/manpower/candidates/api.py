"""Routes that show candidates: the record to officers, consented columns to outside readers.

Not here: names (training has them), changes by an officer (consents).
"""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from chassis.http import dependencies, paging
from chassis.http.service_client import ServiceClient
from chassis.moments import Day
from services.manpower.agencies.rules import RegencyCode
from services.manpower.agencies.usecases import with_access_check
from services.manpower.candidates import usecases
from services.manpower.candidates.custody import Custody
from services.manpower.candidates.disclosure_process import disclose_candidate, disclose_candidates
from services.manpower.candidates.rules import (
    Attention,
    Candidate,
    Horizon,
    available_from,
    release_horizon,
    release_kind,
)
from services.manpower.candidates.skills import (
    CertificateContent,
    Skill,
    Standing,
    sum_experience,
)
from services.manpower.candidates.usecases import CandidateView
from services.manpower.settings import TEXTS
from services.manpower.transaction import Run
from services.manpower.visibility.rules import Column, ConsentShare, Subject, visible_columns

router = APIRouter(tags=["candidates"])

MAX_IDS = 100

REGION_ZONE = ZoneInfo("Asia/Jakarta")
"""The months that people read are those of the region (WIB)."""

_FIELDS = {
    Column.REGENCY: "regency_code",
    Column.SKILLS: "skills",
    Column.COURSES: "courses",
    Column.EXPERIENCE: "experience",
    Column.AVAILABILITY: "available_from",
}


class UnitBody(BaseModel):
    """A unit of competence."""

    model_config = ConfigDict(from_attributes=True)

    code: str
    title: str


class SkillBody(BaseModel):
    """A certificate that the candidate holds.

    Only officers see its id and standing; outside readers see only certificates that count now.
    """

    scheme_id: str
    scheme_title: str
    units: list[UnitBody]
    valid_until: date
    certificate_id: str | None = None
    standing: Standing | None = None

    @classmethod
    def for_reader(cls, content: CertificateContent) -> SkillBody:
        """Return the body for an outside reader."""
        return cls(
            scheme_id=content.scheme_id,
            scheme_title=content.scheme_title,
            units=[UnitBody.model_validate(unit) for unit in content.units],
            valid_until=content.valid_until.astimezone(REGION_ZONE).date(),
        )

    @classmethod
    def for_officer(cls, skill: Skill, content: CertificateContent) -> SkillBody:
        """Return the body for an officer."""
        own = {"certificate_id": skill.certificate_id, "standing": skill.standing}
        return cls.for_reader(content).model_copy(update=own)


class CourseBody(BaseModel):
    """A completed course."""

    model_config = ConfigDict(from_attributes=True)

    title: str
    units: list[UnitBody]
    lesson_hours: int
    completed_on: date


class ExperienceBody(BaseModel):
    """Work in one workshop in one unit kind."""

    model_config = ConfigDict(from_attributes=True)

    workshop_id: str
    unit_kind: str
    units_total: int
    months: int


class CandidateBody(BaseModel):
    """A candidate as far as the reader may see it.

    A field that the reader may not see is absent; one that is unknown is null.
    """

    id: str
    version: int
    name: str | None = None
    regency_code: str | None = None
    skills: list[SkillBody] | None = None
    courses: list[CourseBody] | None = None
    experience: list[ExperienceBody] | None = None
    available_from: str | None = None
    consent_expires_at: datetime | None = None
    facility_id: str | None = None
    custody: Custody | None = None
    release_kind: str | None = None
    horizon: Horizon | None = None
    attention: list[Attention] | None = None

    @classmethod
    def of(cls, view: CandidateView) -> CandidateBody:
        """Return the body of a view."""
        if view.share is None:
            return cls.for_officer(view.candidate, view.now)
        return cls.for_reader(view.candidate, view.share, view.now, view.name)

    @classmethod
    def for_officer(cls, candidate: Candidate, now: datetime) -> CandidateBody:
        """Return the record as officers see it: no name, no day of release."""
        return cls(
            id=candidate.id,
            version=candidate.version,
            regency_code=candidate.visibility.regency_code or None,
            skills=[
                SkillBody.for_officer(skill, skill.content)
                for skill in candidate.skills
                if skill.content is not None
            ],
            courses=_course_bodies(candidate),
            experience=_experience_bodies(candidate),
            available_from=available_from(candidate),
            facility_id=candidate.visibility.facility_id,
            custody=candidate.stay.custody,
            release_kind=release_kind(candidate),
            horizon=release_horizon(candidate, now.astimezone(REGION_ZONE).date()),
            attention=sorted(candidate.attention),
        )

    @classmethod
    def for_reader(
        cls, candidate: Candidate, share: ConsentShare, now: datetime, name: str | None
    ) -> CandidateBody:
        """Return the columns of this consent and no others."""
        values: dict[Column, Any] = {
            Column.REGENCY: candidate.visibility.regency_code or None,
            Column.SKILLS: [
                SkillBody.for_reader(skill.content)
                for skill in candidate.skills
                if skill.content is not None and skill.is_valid(now)
            ],
            Column.COURSES: _course_bodies(candidate),
            Column.EXPERIENCE: _experience_bodies(candidate),
            Column.AVAILABILITY: available_from(candidate),
        }
        columns = visible_columns(share, Subject.CANDIDATE)
        fields = {_FIELDS[column]: value for column, value in values.items() if column in columns}
        if name is not None and Column.NAME in columns:
            fields["name"] = name
        return cls(
            id=candidate.id,
            version=candidate.version,
            consent_expires_at=share.expires_at,
            **fields,
        )


class CustodyForm(BaseModel):
    """The custody of a person as the officer knows it, and the day from which it holds.

    `kind` is a release kind, or another word for one that the system does not know.
    """

    model_config = dependencies.STRICT

    custody: Custody
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{2,39}$")]
    effective_on: Day


class AmendForm(BaseModel):
    """What an officer records: the regency on the KTP, the custody, and questions settled."""

    model_config = dependencies.STRICT

    regency_code: RegencyCode | None = None
    custody: CustodyForm | None = None
    attended: Annotated[frozenset[Attention], Field(max_length=10)] = frozenset()


def _split_ids(values: list[str]) -> list[str]:
    """Return the distinct ids of repeated or comma-separated values."""
    ids = [part.strip() for value in values for part in value.split(",")]
    distinct = [id_ for id_ in dict.fromkeys(ids) if id_]
    if len(distinct) > MAX_IDS:
        raise ValueError(TEXTS["candidates.too_many_ids"])
    return distinct


@router.get("/v1/candidates", response_model_exclude_unset=True)
async def list_candidates(
    run: Run,
    caller: dependencies.CurrentCaller,
    request: Request,
    ids: Annotated[list[str], Query(), AfterValidator(_split_ids)] = [],  # noqa: B006 - unchanged
    attention: bool = False,  # noqa: FBT001, FBT002 - a query parameter
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[CandidateBody]:
    """List the candidates that the caller may see, without names.

    `attention=true` selects those with a question for an officer. `ids` reads up to 100 candidates
    by id instead, with the names that their consents cover; who may not be seen is left out.
    """
    if ids:
        training: ServiceClient = request.app.state.training
        shown = await disclose_candidates(ids, training, caller, run)
        return paging.PageBody(
            items=[CandidateBody.of(view) for view in shown.items], next_cursor=None
        )
    command = partial(usecases.list_candidates, cursor, limit, has_attention=attention)
    page = await run(with_access_check(command))
    return paging.PageBody(
        items=[CandidateBody.of(view) for view in page.items],
        next_cursor=page.next_cursor,
    )


@router.get("/v1/candidates/{candidate_id}", response_model_exclude_unset=True)
async def show_candidate(
    candidate_id: str,
    run: Run,
    caller: dependencies.CurrentCaller,
    request: Request,
    response: Response,
) -> CandidateBody:
    """Show one candidate.

    For an outside reader whose consent covers the name, the name is requested from training now,
    and the disclosure is recorded.
    """
    training: ServiceClient = request.app.state.training
    view = await disclose_candidate(candidate_id, training, caller, run)
    dependencies.set_etag(response, view.candidate)
    return CandidateBody.of(view)


def _course_bodies(candidate: Candidate) -> list[CourseBody]:
    return [CourseBody.model_validate(course) for course in candidate.courses]


def _experience_bodies(candidate: Candidate) -> list[ExperienceBody]:
    experience = sum_experience(candidate.work)
    return [ExperienceBody.model_validate(entry) for entry in experience]
