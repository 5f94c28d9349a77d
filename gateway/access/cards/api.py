"""Routes of holders' cards: services issue them, holders sign in with them.

Officers replace a PIN while the holder is present. Not here: rules.
"""

from __future__ import annotations

import secrets
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from chassis.caller import CallingService
from chassis.http import dependencies
from chassis.ids import utc_now
from gateway.access.builtin_issuer import BuiltInIssuer
from gateway.access.cards import usecases
from gateway.access.cards.rules import PIN_DIGITS, CardRefused
from gateway.access.hashing import hash_code, new_code
from gateway.access.issuer_dependencies import IssuerDeps, NonRepeatableRun
from gateway.access.transaction import Run

router = APIRouter()
internal_api = APIRouter()

HOLDER_TOKEN_SECONDS = 900
CardIssuingService = Annotated[
    CallingService,
    dependencies.require_service("certification", "training", purposes=("give-card",)),
]
Code = Annotated[str, Field(max_length=60)]


class CardForm(BaseModel):
    """The papers of a card: opaque references, as the claim `own` lists them."""

    model_config = dependencies.STRICT

    own: Annotated[list[str], Field(min_length=1, max_length=20)]
    home: str = ""


class CardMade(BaseModel):
    """The code and the PIN to print and hand over; shown once."""

    card: str
    pin: str


class ShownCard(BaseModel):
    """The code on a card."""

    model_config = dependencies.STRICT

    card: Code


class PinMade(BaseModel):
    """The PIN to print and hand over; shown once."""

    pin: str


class HolderForm(BaseModel):
    """The code on the card, and its PIN."""

    model_config = dependencies.STRICT

    card: Code
    pin: Annotated[str, Field(max_length=12)]


class HolderIn(BaseModel):
    """A bearer token; it is not renewed."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - a kind, no secret
    expires_in: int = HOLDER_TOKEN_SECONDS


@internal_api.put("/internal/cards/{reference}")
async def put_card(
    reference: str,
    body: CardForm,
    calling_service: CardIssuingService,
    deps: IssuerDeps,
    run: NonRepeatableRun,
) -> CardMade:
    """Issue a card; a repeat issues another one and makes the former invalid."""
    card = new_code()
    pin = _generate_pin()
    pin_hash = await deps.password_hasher.hash_password(pin)
    await run(
        partial(
            usecases.put_card,
            reference,
            calling_service.service,
            body.own,
            body.home,
            hash_code(card),
            pin_hash,
        )
    )
    return CardMade(card=card, pin=pin)


@router.post("/v1/access/cards/pin")
async def renew_pin(body: ShownCard, deps: IssuerDeps, run: NonRepeatableRun) -> PinMade:
    """Replace the PIN of a card while its holder is present."""
    pin = _generate_pin()
    pin_hash = await deps.password_hasher.hash_password(pin)
    await run(partial(usecases.renew_pin, hash_code(body.card), pin_hash))
    return PinMade(pin=pin)


@router.post("/v1/holder/sign-in")
async def sign_in(
    body: HolderForm, request: Request, deps: IssuerDeps, run: NonRepeatableRun
) -> HolderIn:
    """Sign in with card and PIN."""
    holders: BuiltInIssuer = request.app.state.holders
    try:
        card = await run(partial(usecases.try_pin, hash_code(body.card)))
    except CardRefused:
        await deps.password_hasher.verify_password(body.pin, "")
        raise
    if not await deps.password_hasher.verify_password(body.pin, card.pin):
        raise CardRefused
    await run(partial(usecases.accept_pin, card.id, card.pin))
    return HolderIn(access_token=holders.issue_token(card.id, utc_now(), HOLDER_TOKEN_SECONDS))


@router.post("/v1/holder/sign-out", status_code=204)
async def sign_out(run: Run) -> None:
    """Sign out."""
    await run(usecases.sign_out)


def _generate_pin() -> str:
    return "".join(secrets.choice("0123456789") for _ in range(PIN_DIGITS))
