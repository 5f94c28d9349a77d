"""Routes of identities: two for officers, two internal queries for other services.

Every request states a purpose, which is audited.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.caller import CallingService
from chassis.http import dependencies
from chassis.moments import Day
from services.training.identities import rules, usecases
from services.training.identities.rules import Identity, NikStatus
from services.training.transaction import Run

router = APIRouter(tags=["Warga binaan"])
CALLING_SERVICES = ("certification", "manpower")
NAME_PURPOSES = (
    "assess-candidate",
    "print-certificate",
    "refer-candidate",
    "nominate-candidate",
    "confirm-placement",
)
MATCH_PURPOSES = ("match-holder", "match-candidate")
Ref = Annotated[str, Field(min_length=1, max_length=64)]
Purpose = Literal["registration", "class-list", "case-work", "correction", "audit"]


class IdentitiesRequest(BaseModel):
    """Up to 500 references."""

    model_config = dependencies.STRICT
    refs: Annotated[list[Ref], Field(min_length=1, max_length=500)]


class NamesRequest(BaseModel):
    """Up to 500 references and the purpose, which is audited."""

    model_config = dependencies.STRICT
    participant_refs: Annotated[list[Ref], Field(min_length=1, max_length=500)]
    purpose: Purpose


class NameBody(BaseModel):
    """The name and register number behind a reference."""

    participant_ref: str
    name: str
    register_no: str


class NamesBody(BaseModel):
    """The people in the caller's scope; unknown and foreign references are left out.

    `as_of` is the time of the oldest list on which the names rest.
    """

    as_of: datetime | None
    items: list[NameBody]


class PersonBody(BaseModel):
    """The person behind a reference, without NIK, register number and facility."""

    participant_ref: str
    name: str
    birth_date: date | None
    sex: str


class IdentitiesBody(BaseModel):
    """The people behind the references; unknown references are left out."""

    items: list[PersonBody]


class MatchRequest(BaseModel):
    """A NIK and a birth date; both must match."""

    model_config = dependencies.STRICT
    nik: Annotated[str, Field(pattern=r"^[0-9]{16}$")]
    birth_date: Day


class MatchBody(BaseModel):
    """The one person who matches; null when nobody matches, or more than one person."""

    participant_ref: str | None


class IdentityBody(BaseModel):
    """A participant's identity, for an officer of the facility."""

    participant_ref: str
    name: str
    register_no: str
    birth_date: date | None
    sex: str
    nik_status: NikStatus
    nik_masked: str

    @classmethod
    def of(cls, identity: Identity) -> IdentityBody:
        """Return the body of an identity."""
        return cls(
            participant_ref=identity.id,
            name=identity.name,
            register_no=identity.register_no,
            birth_date=identity.birth_date,
            sex=identity.sex,
            nik_status=identity.nik_status,
            nik_masked=rules.mask_nik(identity),
        )


@router.get("/v1/participants/{participant_ref}/identity", summary="Lihat identitas warga binaan")
async def show_identity(
    participant_ref: str,
    purpose: Purpose,
    run: Run,
    response: Response,
) -> IdentityBody:
    """Show who a participant is; the purpose is audited together with the officer."""
    identity = await run(partial(usecases.show_identity, participant_ref, purpose))
    dependencies.set_etag(response, identity)
    return IdentityBody.of(identity)


@router.post("/v1/participants/names", summary="Nama banyak warga binaan sekaligus")
async def read_names(body: NamesRequest, run: Run) -> NamesBody:
    """Return up to 500 names for one purpose; one audit row lists everybody who was read."""
    read = await run(partial(usecases.read_names, body.participant_refs, body.purpose))
    items = [
        NameBody(participant_ref=ref, name=identity.name, register_no=identity.register_no)
        for ref, identity in read.identities.items()
    ]
    return NamesBody(as_of=read.as_of, items=items)


@router.post("/internal/identities", include_in_schema=False)
async def identities_for(
    body: IdentitiesRequest,
    calling_service: Annotated[
        CallingService, dependencies.require_service(*CALLING_SERVICES, purposes=NAME_PURPOSES)
    ],
    run: Run,
) -> IdentitiesBody:
    """Return names for one purpose (`identity_for`), limited per purpose and day."""
    identities = await run(partial(usecases.read_identities, body.refs, calling_service))
    items = [
        PersonBody(
            participant_ref=ref,
            name=identity.name,
            birth_date=identity.birth_date,
            sex=identity.sex,
        )
        for ref, identity in identities.items()
    ]
    return IdentitiesBody(items=items)


@router.post("/internal/person-matches", include_in_schema=False)
async def match_person(
    body: MatchRequest,
    calling_service: Annotated[
        CallingService, dependencies.require_service(*CALLING_SERVICES, purposes=MATCH_PURPOSES)
    ],
    run: Run,
) -> MatchBody:
    """Return the reference behind a NIK and a birth date (`match_person`)."""
    command = partial(usecases.match_person, body.nik, body.birth_date, calling_service)
    return MatchBody(participant_ref=await run(command))
