"""How consents are asked for."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from chassis.http import dependencies, paging
from services.manpower.agencies.rules import AgencyId, Moment
from services.manpower.consents import rules, usecases
from services.manpower.consents.rules import Consent, Ending
from services.manpower.consents.usecases import ConsentForm
from services.manpower.transaction import Run, Transaction
from services.manpower.visibility.rules import Column, Purpose

router = APIRouter(tags=["consents"])


class ConsentRequest(BaseModel):
    """A consent as an officer records it; without a recipient the office of the person's regency."""

    model_config = dependencies.STRICT

    candidate_id: Annotated[str, Field(min_length=1, max_length=64)]
    purpose: Purpose
    recipient: AgencyId | None = None
    fields: Annotated[frozenset[Column], Field(max_length=len(Column))]
    text_version_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    given_at: Moment
    witness_ref: Annotated[str, Field(min_length=1, max_length=64)]
    expires_at: Moment

    def to_form(self) -> ConsentForm:
        """The use case's values."""
        return ConsentForm(**self.model_dump())


class ConsentBody(BaseModel):
    """A consent."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    version: int
    candidate_id: str
    purpose: Purpose
    recipient: str
    fields: Annotated[list[Column], BeforeValidator(sorted)]
    text_version_hash: str
    given_at: datetime
    witness_ref: str
    expires_at: datetime
    ended_at: datetime | None
    ending: Ending | None


class ConsentTextBody(BaseModel):
    """A text that is read to the person before the consent."""

    purpose: Purpose
    version: int
    text: str
    text_version_hash: str


class ConsentTextsBody(BaseModel):
    """All texts in use."""

    items: list[ConsentTextBody]


@router.get("/v1/consents/texts")
async def list_texts() -> ConsentTextsBody:
    """The texts of consent with their hashes."""
    texts = [
        ConsentTextBody(
            purpose=text.purpose,
            version=text.version,
            text=text.text,
            text_version_hash=text.sha256,
        )
        for text in rules.CONSENT_TEXTS
    ]
    return ConsentTextsBody(items=texts)


@router.post("/v1/consents", status_code=201)
async def give_consent(body: ConsentRequest, run: Run, response: Response) -> ConsentBody:
    """Record a consent: from now on its recipient sees its fields, until it ends."""
    return _answer(await run(partial(usecases.give_consent, body.to_form())), response)


@router.get("/v1/consents")
async def list_consents(
    run: Run,
    candidate_id: str | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[ConsentBody]:
    """Consents of the facility's people."""

    async def page(tx: Transaction) -> paging.PageBody[ConsentBody]:
        found = await tx.consents.list_page(
            None if candidate_id is None else await tx.resolve(candidate_id), cursor, limit
        )
        tx.note(
            "consents.listed", "", refs=sorted({consent.candidate_id for consent in found.items})
        )
        return paging.PageBody(
            items=[ConsentBody.model_validate(consent) for consent in found.items],
            next_cursor=found.next_cursor,
        )

    return await run(page)


@router.get("/v1/consents/{consent_id}")
async def show_consent(consent_id: str, run: Run, response: Response) -> ConsentBody:
    """One consent."""

    async def one(tx: Transaction) -> Consent:
        found = await tx.consents.get(consent_id)
        tx.note("consents.read", found.id, person=found.candidate_id)
        return found

    return _answer(await run(one), response)


@router.post("/v1/consents/{consent_id}/withdraw")
async def withdraw_consent(consent_id: str, run: Run, response: Response) -> ConsentBody:
    """End a consent by the person's will: sharing stops with this answer."""
    return _answer(await run(partial(usecases.withdraw_consent, consent_id)), response)


def _answer(consent: Consent, response: Response) -> ConsentBody:
    dependencies.set_etag(response, consent)
    return ConsentBody.model_validate(consent)
