"""How systems are registered and their secrets and keys changed: by administrators for those of their place, by manpower for those of agencies and employers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from chassis import web
from gateway.clients import assertions, usecases
from gateway.clients.rules import Client
from gateway.hashing import new_token, token_hash
from gateway.own_side import Once, Own
from gateway.transaction import Run

router = APIRouter()
internal = APIRouter(dependencies=[web.asked_by("manpower", purposes=("manage-access",))])

ClientId = Annotated[str, Field(min_length=3, max_length=100, pattern=r"^[a-z0-9][a-z0-9.-]*$")]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Slot(StrEnum):
    """Two places for a secret or a key, so that the new one is good before the old one is not."""

    FIRST = "1"
    SECOND = "2"


class ClientForm(BaseModel):
    """A system of a place."""

    model_config = web.STRICT

    home: Annotated[str, Field(min_length=1, max_length=200)]
    label: Annotated[str, Field(min_length=1, max_length=100)]


class PartnerClientForm(BaseModel):
    """By what a partner's system proves itself: SHA-256 of secrets of at least 256 random bits, public keys (JWK)."""

    model_config = web.STRICT

    secrets: dict[Slot, Hash] = {}
    keys: dict[Slot, dict[str, Any]] = {}


class KeyForm(BaseModel):
    """A public key."""

    model_config = web.STRICT

    jwk: dict[str, Any]


class ClientKnown(BaseModel):
    """Our id for the client as a user, to whom grants are given."""

    user_id: str


class ClientBody(BaseModel):
    """A client as administrators see it: which slots are filled, never with what."""

    client_id: str
    user_id: str
    home: str
    label: str
    secrets: list[str]
    keys: list[str]
    disabled_at: datetime | None

    @classmethod
    def of(cls, client: Client) -> ClientBody:
        """What is shown."""
        return cls(
            client_id=client.id,
            user_id=client.user_id,
            home=client.home,
            label=client.label,
            secrets=sorted(client.secrets),
            keys=sorted(client.keys),
            disabled_at=client.disabled_at,
        )


class SecretBody(BaseModel):
    """The secret, shown once."""

    client_secret: str


@internal.put("/internal/clients/{client_id}")
async def put_client(client_id: ClientId, body: PartnerClientForm, run: Run) -> ClientKnown:
    """Let the system of this id prove itself by these, and no others; told again, nothing changes."""
    keys = {slot.value: assertions.kept(jwk) for slot, jwk in body.keys.items()}
    client = await run(partial(usecases.put_client, client_id, {slot.value: hashed for slot, hashed in body.secrets.items()}, keys))
    return ClientKnown(user_id=client.user_id)


@router.put("/v1/access/clients/{client_id}")
async def register_client(client_id: ClientId, body: ClientForm, _: Own, run: Run) -> ClientBody:
    """Register a system; asked again, the answer is the same."""
    return ClientBody.of(await run(partial(usecases.register_client, client_id, body.home, body.label)))


@router.get("/v1/access/clients")
async def list_clients(run: Run, cursor: str | None = None, limit: web.Limit = 50) -> web.PageBody[ClientBody]:
    """Systems of the administrator's places."""
    page = await run(partial(usecases.list_clients, cursor, limit))
    return web.PageBody(items=[ClientBody.of(client) for client in page.items], next_cursor=page.next_cursor)


@router.get("/v1/access/clients/{client_id}")
async def show_client(client_id: str, run: Run) -> ClientBody:
    """One system."""
    return ClientBody.of(await run(partial(usecases.show_client, client_id)))


@router.put("/v1/access/clients/{client_id}/secrets/{slot}")
async def put_secret(client_id: str, slot: Slot, run: Once) -> SecretBody:
    """Make a secret for this slot; that of the other slot stays good."""
    secret = new_token()
    await run(partial(usecases.put_secret, client_id, slot.value, token_hash(secret)))
    return SecretBody(client_secret=secret)


@router.put("/v1/access/clients/{client_id}/keys/{slot}")
async def put_key(client_id: str, slot: Slot, body: KeyForm, run: Run) -> ClientBody:
    """Take a public key into this slot; that of the other slot stays good."""
    return ClientBody.of(await run(partial(usecases.put_key, client_id, slot.value, assertions.kept(body.jwk))))


@router.delete("/v1/access/clients/{client_id}/slots/{slot}")
async def empty_slot(client_id: str, slot: Slot, run: Run) -> ClientBody:
    """Neither secret nor key of this slot is good any more."""
    return ClientBody.of(await run(partial(usecases.empty_slot, client_id, slot.value)))


@router.post("/v1/access/clients/{client_id}/disable")
async def disable_client(client_id: str, run: Run) -> ClientBody:
    """The system proves nothing any more; effective within seconds, also for streams."""
    return ClientBody.of(await run(partial(usecases.disable_client, client_id)))
