"""Routes of consents, and of changes of a candidate by an officer.

Not here: reads of candidates.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from chassis.http import dependencies, paging
from chassis.moments import Moment
from chassis.texts import Language
from services.manpower.agencies.rules import AgencyId
from services.manpower.candidates.api import AmendForm, CandidateBody
from services.manpower.candidates.usecases import view_record
from services.manpower.consents import rules, usecases
from services.manpower.consents.rules import Consent, Ending
from services.manpower.consents.usecases import Amendment, ConsentForm, CustodyAnswer
from services.manpower.transaction import Run
from services.manpower.visibility.rules import Column, Purpose

router = APIRouter(tags=["consents"])
candidate_router = APIRouter(tags=["candidates"])


class ConsentRequest(BaseModel):
    """A consent as an officer records it.

    Without a recipient it is for the office of the person's regency.
    """

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
        """Return the values for the use case."""
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
    fields: Annotated[list[Column], BeforeValidator(sorted)]
    text: str
    text_version_hash: str


class ConsentTextsBody(BaseModel):
    """All texts in use."""

    items: list[ConsentTextBody]


@router.get("/v1/consents/texts")
async def list_texts(response: Response) -> ConsentTextsBody:
    """List the texts of consent with their hashes; the hash is of the Indonesian text."""
    response.headers["content-language"] = Language.INDONESIAN
    items = [
        ConsentTextBody(
            purpose=text.purpose,
            version=text.version,
            fields=sorted(text.fields),
            text=text.text,
            text_version_hash=text.sha256,
        )
        for text in rules.CONSENT_TEXTS
    ]
    return ConsentTextsBody(items=items)


@router.post("/v1/consents", status_code=201)
async def give_consent(body: ConsentRequest, run: Run, response: Response) -> ConsentBody:
    """Record a consent: its recipient sees the fields until the consent ends."""
    return _answer(await run(partial(usecases.give_consent, body.to_form())), response)


@router.get("/v1/consents")
async def list_consents(
    run: Run,
    candidate_id: str | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[ConsentBody]:
    """List the consents of the facility's people."""
    page = await run(partial(usecases.list_consents, candidate_id, cursor, limit))
    return paging.PageBody(
        items=[ConsentBody.model_validate(consent) for consent in page.items],
        next_cursor=page.next_cursor,
    )


@router.get("/v1/consents/{consent_id}")
async def show_consent(consent_id: str, run: Run, response: Response) -> ConsentBody:
    """Show one consent."""
    return _answer(await run(partial(usecases.show_consent, consent_id)), response)


@router.post("/v1/consents/{consent_id}/withdraw")
async def withdraw_consent(
    consent_id: str, run: Run, response: Response, version: dependencies.RequiredIfMatch
) -> ConsentBody:
    """End a consent that the person withdraws; sharing stops before the response."""
    command = partial(usecases.withdraw_consent, consent_id, version)
    return _answer(await run(command), response)


@candidate_router.patch("/v1/candidates/{candidate_id}", response_model_exclude_unset=True)
async def amend_candidate(
    candidate_id: str,
    form: AmendForm,
    run: Run,
    response: Response,
    version: dependencies.RequiredIfMatch,
) -> CandidateBody:
    """Record the regency on the KTP, correct the custody, or settle a question for an officer."""
    amendment = Amendment(
        regency_code=form.regency_code,
        custody=None if form.custody is None else CustodyAnswer(**form.custody.model_dump()),
        attended=form.attended,
    )
    command = partial(usecases.amend_candidate, candidate_id, amendment, version)
    view = await run(command, view=view_record)
    dependencies.set_etag(response, view.candidate)
    return CandidateBody.of(view)


def _answer(consent: Consent, response: Response) -> ConsentBody:
    dependencies.set_etag(response, consent)
    return ConsentBody.model_validate(consent)
