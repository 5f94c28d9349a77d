"""Routes of systems (clients), their secrets, keys and quotas.

Administrators manage those of their places, manpower those of agencies and employers. Not here:
rules.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.ids import utc_now
from chassis.persistence.mongo import Mongo
from chassis.persistence.transactions import TransactionManager
from gateway.access.clients import assertions, usecases
from gateway.access.clients.daily_quota import quota_day, read_calls_today
from gateway.access.clients.rules import Client
from gateway.access.hashing import hash_token, new_token
from gateway.access.issuer_dependencies import IssuerDeps, NonRepeatableRun
from gateway.access.transaction import Run, Transaction

router = APIRouter()
internal_api = APIRouter(
    dependencies=[dependencies.require_service("manpower", purposes=("manage-access",))]
)

ClientId = Annotated[str, Field(min_length=3, max_length=100, pattern=r"^[a-z0-9][a-z0-9.-]*$")]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def get_database(request: Request) -> Mongo:
    """Return the gateway's database, for counts that are read outside transactions."""
    engine: TransactionManager[Transaction] = request.app.state.engine
    return engine.db


Database = Annotated[Mongo, Depends(get_database)]


class Slot(StrEnum):
    """One of two slots for a secret or a key, so that the old one is valid beside the new one."""

    FIRST = "1"
    SECOND = "2"


class ClientForm(BaseModel):
    """A system to register: its home and a label.

    An outside office's system has no home (""); administrators of all places register it.
    """

    model_config = dependencies.STRICT

    home: Annotated[str, Field(max_length=200)]
    label: Annotated[str, Field(min_length=1, max_length=100)]


class PartnerClientForm(BaseModel):
    """The credentials of a partner's system, by slot.

    `secrets` are SHA-256 hashes of secrets of at least 256 random bits, `keys` are public JWKs.
    """

    model_config = dependencies.STRICT

    secrets: dict[Slot, Hash] = {}
    keys: dict[Slot, dict[str, Any]] = {}


class KeyForm(BaseModel):
    """A public key."""

    model_config = dependencies.STRICT

    jwk: dict[str, Any]


class QuotaForm(BaseModel):
    """The daily quota of a system."""

    model_config = dependencies.STRICT

    calls_per_day: Annotated[int, Field(ge=0, le=10_000_000)]


class QuotaBody(BaseModel):
    """The quota, today's calls (summed every two seconds), and the end of the day."""

    calls_per_day: int
    calls_today: int
    day_ends_at: datetime


class ClientKnown(BaseModel):
    """The client's user id, which grants refer to."""

    user_id: str


class CredentialBody(BaseModel):
    """The user behind a credential, and the homes that manage the user ("" = manpower)."""

    user_id: str
    homes: tuple[str, ...]


class ClientBody(BaseModel):
    """A client as administrators see it.

    `secrets` and `keys` are the slots in use, without their content.
    """

    client_id: str
    user_id: str
    home: str
    label: str
    secrets: list[str]
    keys: list[str]
    calls_per_day: int
    calls_today: int
    disabled_at: datetime | None

    @classmethod
    def of(cls, client: Client, calls_today: int) -> ClientBody:
        return cls(
            client_id=client.id,
            user_id=client.user_id,
            home=client.home,
            label=client.label,
            secrets=sorted(client.secrets),
            keys=sorted(client.keys),
            calls_per_day=client.calls_per_day,
            calls_today=calls_today,
            disabled_at=client.disabled_at,
        )


class SecretBody(BaseModel):
    """The secret, shown once."""

    client_secret: str


@internal_api.put("/internal/clients/{client_id}")
async def put_client(client_id: ClientId, body: PartnerClientForm, run: Run) -> ClientKnown:
    """Replace all secrets and keys of this system; a repeat changes nothing."""
    secrets = {slot.value: hashed for slot, hashed in body.secrets.items()}
    keys = {slot.value: assertions.serialise_key(jwk) for slot, jwk in body.keys.items()}
    client = await run(partial(usecases.put_client, client_id, secrets, keys))
    return ClientKnown(user_id=client.user_id)


@internal_api.get("/internal/credentials/{reference}")
async def find_credential(reference: str, run: Run) -> CredentialBody:
    """Show the user of this id, or of the system of this id."""
    user = await run(partial(usecases.find_credential, reference))
    return CredentialBody(user_id=user.id, homes=user.homes)


@router.put("/v1/access/clients/{client_id}")
async def register_client(
    client_id: ClientId, body: ClientForm, _: IssuerDeps, db: Database, run: Run
) -> ClientBody:
    """Register a system; a repeat returns the same system."""
    client = await run(partial(usecases.register_client, client_id, body.home, body.label))
    return await _client_body(client, db)


@router.get("/v1/access/clients")
async def list_clients(
    db: Database, run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[ClientBody]:
    """List the systems of the administrator's places."""
    page = await run(partial(usecases.list_clients, cursor, limit))
    counted = await read_calls_today([client.user_id for client in page.items], utc_now(), db)
    return paging.PageBody(
        items=[ClientBody.of(client, counted[client.user_id]) for client in page.items],
        next_cursor=page.next_cursor,
    )


@router.get("/v1/access/clients/{client_id}")
async def show_client(client_id: str, db: Database, run: Run) -> ClientBody:
    """Show one system."""
    return await _client_body(await run(partial(usecases.show_client, client_id)), db)


@router.put("/v1/access/clients/{client_id}/secrets/{slot}")
async def put_secret(client_id: str, slot: Slot, run: NonRepeatableRun) -> SecretBody:
    """Generate a secret for this slot; the other slot's stays valid."""
    secret = new_token()
    await run(partial(usecases.put_secret, client_id, slot.value, hash_token(secret)))
    return SecretBody(client_secret=secret)


@router.put("/v1/access/clients/{client_id}/keys/{slot}")
async def put_key(client_id: str, slot: Slot, body: KeyForm, db: Database, run: Run) -> ClientBody:
    """Put a public key into this slot; the other slot's stays valid."""
    key = assertions.serialise_key(body.jwk)
    client = await run(partial(usecases.put_key, client_id, slot.value, key))
    return await _client_body(client, db)


@router.put("/v1/access/clients/{client_id}/quota")
async def set_quota(client_id: str, body: QuotaForm, db: Database, run: Run) -> ClientBody:
    """Set a system's daily quota, 0 = no call; in force within a minute."""
    client = await run(partial(usecases.set_quota, client_id, body.calls_per_day))
    return await _client_body(client, db)


@router.get("/v1/me/quota")
async def own_quota(run: Run) -> QuotaBody:
    """Show the caller's quota and today's calls; 404 for people, who have no quota."""
    calls_per_day, calls_today = await run(usecases.get_own_quota)
    _, day_ends_at = quota_day(utc_now())
    return QuotaBody(calls_per_day=calls_per_day, calls_today=calls_today, day_ends_at=day_ends_at)


@router.delete("/v1/access/clients/{client_id}/slots/{slot}")
async def empty_slot(client_id: str, slot: Slot, db: Database, run: Run) -> ClientBody:
    """Remove the secret and the key of this slot."""
    return await _client_body(await run(partial(usecases.empty_slot, client_id, slot.value)), db)


@router.post("/v1/access/clients/{client_id}/disable")
async def disable_client(client_id: str, db: Database, run: Run) -> ClientBody:
    """Disable the system; in force within seconds, also for streams."""
    return await _client_body(await run(partial(usecases.disable_client, client_id)), db)


async def _client_body(client: Client, db: Mongo) -> ClientBody:
    calls_today = await read_calls_today([client.user_id], utc_now(), db)
    return ClientBody.of(client, calls_today[client.user_id])
