"""How candidates are asked for. Officers see the record; outside readers the columns of the consent, and a name only fetched at that moment."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis.http import dependencies, paging
from chassis.http.service_client import ServiceClient
from services.manpower.agencies.rules import RegencyCode
from services.manpower.candidates import usecases
from services.manpower.candidates.rules import (
    Attention,
    Candidate,
    CandidateUnknown,
    Custody,
    Horizon,
    Skill,
    Standing,
    available_from,
    release_horizon,
    sum_experience,
)
from services.manpower.consumers.usecases import with_access_check
from services.manpower.transaction import Run, Transaction
from services.manpower.visibility.rules import (
    Column,
    ConsentShare,
    Purpose,
    is_outside,
    reader_of,
    share_for,
    visible_columns,
)

router = APIRouter(tags=["candidates"])

REGION_ZONE = ZoneInfo("Asia/Jakarta")
"""The months that people read are those of the region (WIB)."""

IDENTITY_PURPOSES = {
    Purpose.DINAS_REGISTRATION: "refer-candidate",
    Purpose.TRAINING_NOMINATION: "nominate-candidate",
    Purpose.EMPLOYER_SHARE: "refer-candidate",
    Purpose.TKM_APPLICATION: "refer-candidate",
    Purpose.FOLLOW_UP_CONTACT: "confirm-placement",
}
"""What training is told when a name is asked for."""


class IdentityItem(BaseModel):
    """What is read of training's answer: no birth date, no sex."""

    participant_ref: str
    name: str


class IdentityAnswer(BaseModel):
    """Training's answer."""

    items: list[IdentityItem]


class UnitBody(BaseModel):
    """A unit of competence."""

    model_config = ConfigDict(from_attributes=True)

    code: str
    title: str


class SkillBody(BaseModel):
    """A certificate held. Its id and standing are told to officers only; outside readers see those that count now."""

    scheme_id: str
    scheme_title: str
    units: list[UnitBody]
    valid_until: date
    certificate_id: str | None = None
    standing: Standing | None = None


class CourseBody(BaseModel):
    """A course completed."""

    model_config = ConfigDict(from_attributes=True)

    title: str
    units: list[UnitBody]
    lesson_hours: int
    completed_on: date


class ExperienceBody(BaseModel):
    """Work in one workshop."""

    model_config = ConfigDict(from_attributes=True)

    workshop_id: str
    unit_kind: str
    units_total: int
    months: int


class CandidateBody(BaseModel):
    """A candidate as far as the reader may see: what it may not see is absent, what is not known is null."""

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
    def for_officer(cls, candidate: Candidate, now: datetime) -> CandidateBody:
        """The record as the prison's officers see it: no name (training has it), no day of release."""
        return cls(
            id=candidate.id,
            version=candidate.version,
            regency_code=candidate.visibility.regency_code or None,
            skills=[
                _skill_for_officer(skill) for skill in candidate.skills if skill.content is not None
            ],
            courses=_course_bodies(candidate),
            experience=_experience_bodies(candidate),
            available_from=available_from(candidate),
            facility_id=candidate.visibility.facility_id,
            custody=candidate.stay.custody,
            release_kind=candidate.stay.kind
            if candidate.stay.custody is Custody.RELEASED
            else candidate.plan.kind or None
            if candidate.plan
            else None,
            horizon=release_horizon(candidate, now.astimezone(REGION_ZONE).date()),
            attention=sorted(candidate.attention),
        )

    @classmethod
    def for_reader(
        cls, candidate: Candidate, share: ConsentShare, now: datetime, name: str | None = None
    ) -> CandidateBody:
        """The columns of this consent and no others."""
        shown = visible_columns(share)
        values: dict[Column, object] = {
            Column.REGENCY: candidate.visibility.regency_code or None,
            Column.SKILLS: [
                _skill_for_reader(skill) for skill in candidate.skills if skill.is_valid(now)
            ],
            Column.COURSES: _course_bodies(candidate),
            Column.EXPERIENCE: _experience_bodies(candidate),
            Column.AVAILABILITY: available_from(candidate),
        }
        fields = {_FIELDS[column]: value for column, value in values.items() if column in shown}
        named = {"name": name} if name is not None and Column.NAME in shown else {}
        return cls.model_validate(
            {
                "id": candidate.id,
                "version": candidate.version,
                "consent_expires_at": share.expires_at,
            }
            | fields
            | named
        )


_FIELDS = {
    Column.REGENCY: "regency_code",
    Column.SKILLS: "skills",
    Column.COURSES: "courses",
    Column.EXPERIENCE: "experience",
    Column.AVAILABILITY: "available_from",
}


class AmendForm(BaseModel):
    """What an officer records: the regency on the KTP (the address), and tasks that are done."""

    model_config = dependencies.STRICT

    regency_code: RegencyCode | None = None
    attended: Annotated[frozenset[Attention], Field(max_length=10)] = frozenset()


@router.get("/v1/candidates", response_model_exclude_unset=True)
async def list_candidates(
    run: Run,
    attention: bool = False,  # noqa: FBT001, FBT002 - a query parameter
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[CandidateBody]:
    """Candidates that the caller may see, without names. `attention=true`: those with a task for an officer."""

    async def page(tx: Transaction) -> paging.PageBody[CandidateBody]:
        outside = is_outside(tx.caller)
        found = await tx.candidates.list_page(
            has_attention=attention and not outside, cursor=cursor, limit=limit
        )
        tx.note("candidates.listed", "", refs=[candidate.id for candidate in found.items])
        return paging.PageBody(
            items=[_list_item(candidate, tx) for candidate in found.items],
            next_cursor=found.next_cursor,
        )

    return await run(with_access_check(page))


@router.get("/v1/candidates/{candidate_id}", response_model_exclude_unset=True)
async def show_candidate(
    candidate_id: str, run: Run, request: Request, response: Response
) -> CandidateBody:
    """One candidate. For an outside reader whose consent holds the name, it is fetched now and the disclosure is written down."""

    async def look(tx: Transaction) -> tuple[Candidate, ConsentShare | None]:
        candidate = await usecases.show_candidate(candidate_id, tx)
        return candidate, _caller_share(candidate, tx)

    async def tell(name: str | None, tx: Transaction) -> CandidateBody:
        candidate = await usecases.show_candidate(candidate_id, tx)
        dependencies.set_etag(response, candidate)
        share = _caller_share(candidate, tx)
        if share is None:
            tx.note("candidates.read", candidate.id)
            return CandidateBody.for_officer(candidate, tx.now)
        body = CandidateBody.for_reader(candidate, share, tx.now, name)
        tx.note(
            "candidates.disclosed",
            candidate.id,
            purpose=share.purpose.value,
            recipient=share.recipient,
            consent=share.consent_id,
            fields=sorted(visible_columns(share)),
        )
        return body

    candidate, share = await run(with_access_check(look))
    name = None
    if share is not None and Column.NAME in visible_columns(share):
        name = await _fetch_name(
            request.app.state.training, candidate.id, share.purpose, run.cause.caller.subject
        )
    return await run(with_access_check(partial(tell, name)))


@router.patch("/v1/candidates/{candidate_id}", response_model_exclude_unset=True)
async def amend_candidate(
    candidate_id: str,
    form: AmendForm,
    run: Run,
    response: Response,
    if_match: dependencies.RequiredIfMatch,
) -> CandidateBody:
    """Record the regency on the KTP, or that a task is done."""

    async def amend(tx: Transaction) -> CandidateBody:
        candidate = await usecases.amend_candidate(
            candidate_id, form.regency_code, form.attended, tx, if_match=if_match
        )
        dependencies.set_etag(response, candidate)
        return CandidateBody.for_officer(candidate, tx.now)

    return await run(amend)


async def _fetch_name(
    training: ServiceClient, ref: str, purpose: Purpose, on_behalf_of: str
) -> str:
    answer = IdentityAnswer.model_validate(
        await training.request(
            "POST",
            "/internal/identities",
            purpose=IDENTITY_PURPOSES[purpose],
            on_behalf_of=on_behalf_of,
            body={"refs": [ref]},
        ),
    )
    name = next((item.name for item in answer.items if item.participant_ref == ref), None)
    if name is None:
        raise CandidateUnknown
    return name


def _caller_share(candidate: Candidate, tx: Transaction) -> ConsentShare | None:
    reader = reader_of(tx.caller)
    return None if reader is None else share_for(candidate.visibility, reader, tx.now)


def _list_item(candidate: Candidate, tx: Transaction) -> CandidateBody:
    share = _caller_share(candidate, tx)
    return (
        CandidateBody.for_officer(candidate, tx.now)
        if share is None
        else CandidateBody.for_reader(candidate, share, tx.now)
    )


def _skill_for_officer(skill: Skill) -> SkillBody:
    return _skill_for_reader(skill).model_copy(
        update={"certificate_id": skill.certificate_id, "standing": skill.standing}
    )


def _skill_for_reader(skill: Skill) -> SkillBody:
    content = skill.content
    if content is None:
        raise AssertionError("only certificates whose content is told are shown")
    units = [UnitBody.model_validate(unit) for unit in content.units]
    return SkillBody(
        scheme_id=content.scheme_id,
        scheme_title=content.scheme_title,
        units=units,
        valid_until=content.valid_until.astimezone(REGION_ZONE).date(),
    )


def _course_bodies(candidate: Candidate) -> list[CourseBody]:
    return [CourseBody.model_validate(course) for course in candidate.courses]


def _experience_bodies(candidate: Candidate) -> list[ExperienceBody]:
    return [ExperienceBody.model_validate(each) for each in sum_experience(candidate)]
