"""Use cases of clients. Not here: rules and routes."""

from collections.abc import Mapping
from dataclasses import replace

from chassis.persistence.store import Page
from gateway.access.clients import rules
from gateway.access.clients.daily_quota import read_calls_today
from gateway.access.clients.rules import Client, ClientRefused, ClientUnknown
from gateway.access.identity import BUILTIN_ISSUER
from gateway.access.revocations import usecases as revocations
from gateway.access.transaction import Transaction
from gateway.access.users import usecases as users
from gateway.access.users.rules import User, UserUnknown


async def register_client(client_id: str, home: str, label: str, tx: Transaction) -> Client:
    """Return the client of this id; register it if it is new."""
    user = await users.register_user(BUILTIN_ISSUER, _external_name(client_id), home, tx)
    known = await tx.clients.seek(client_id)
    if known is not None:
        return known
    return tx.clients.add(Client(id=client_id, user_id=user.id, home=home, label=label))


async def put_client(
    client_id: str, secrets: Mapping[str, str], keys: Mapping[str, str], tx: Transaction
) -> Client:
    """Replace all secrets and keys of manpower's client; a repeat changes nothing."""
    before = await register_client(client_id, "", "", tx)
    after = replace(before, secrets=dict(secrets), keys=dict(keys))
    return before if after == before else tx.clients.save(before, after)


async def find_credential(reference: str, tx: Transaction) -> User:
    """Return the user of this id, or else that of the system of this id. Raises UserUnknown."""
    user = await tx.users.seek(reference)
    if user is not None:
        return user
    client = await tx.clients.seek(reference)
    if client is None:
        raise UserUnknown
    return await tx.users.get(client.user_id)


async def list_clients(cursor: str | None, limit: int, tx: Transaction) -> Page[Client]:
    """Return a page of clients."""
    return await tx.clients.list_page(cursor, limit)


async def show_client(client_id: str, tx: Transaction) -> Client:
    """Return a client."""
    return await tx.clients.get(client_id)


async def set_quota(client_id: str, calls_per_day: int, tx: Transaction) -> Client:
    """Set the daily quota; in force within a minute at every replica."""
    before = await tx.clients.get(client_id)
    after = rules.set_quota(before, calls_per_day)
    return before if after == before else tx.clients.save(before, after)


async def get_quota(user: User, tx: Transaction) -> int | None:
    """Return the daily quota of a user; None if the user is no system."""
    is_system = user.issuer == BUILTIN_ISSUER and user.external.startswith(_external_name(""))
    client = await tx.clients.find_by_user(user.id) if is_system else None
    return None if client is None else client.calls_per_day


async def get_own_quota(tx: Transaction) -> tuple[int, int]:
    """Return the caller's quota and today's calls. Raises ClientUnknown for people."""
    client = await tx.clients.find_by_user(tx.caller.subject)
    if client is None:
        raise ClientUnknown
    calls_today = await read_calls_today([client.user_id], tx.now, tx.db)
    return client.calls_per_day, calls_today[client.user_id]


async def put_secret(client_id: str, slot: str, hashed: str, tx: Transaction) -> Client:
    """Put another secret into this slot; the other slot's stays valid."""
    before = await tx.clients.get(client_id)
    return tx.clients.save(before, rules.put_secret(before, slot, hashed))


async def put_key(client_id: str, slot: str, jwk: str, tx: Transaction) -> Client:
    """Put another key into this slot; the other slot's stays valid."""
    before = await tx.clients.get(client_id)
    return tx.clients.save(before, rules.put_key(before, slot, jwk))


async def empty_slot(client_id: str, slot: str, tx: Transaction) -> Client:
    """Remove the secret and the key of this slot."""
    before = await tx.clients.get(client_id)
    return tx.clients.save(before, rules.empty_slot(before, slot))


async def disable_client(client_id: str, tx: Transaction) -> Client:
    """Disable the client and revoke its tokens; a repeat changes nothing."""
    before = await tx.clients.get(client_id)
    await revocations.revoke_subject(before.user_id, tx)
    if before.disabled_at is not None:
        return before
    return tx.clients.save(before, replace(before, disabled_at=tx.now))


async def get_active_client(client_id: str, tx: Transaction) -> Client:
    """Return a client that is not disabled, nor its user. Raises ClientRefused."""
    client = await tx.clients.seek(client_id, scoped=False)
    if client is None or client.disabled_at is not None:
        raise ClientRefused
    user = await tx.users.seek(client.user_id, scoped=False)
    if user is None or user.disabled_at is not None:
        raise ClientRefused
    return client


async def use_assertion(use: str, tx: Transaction) -> None:
    """Mark an assertion as used. Raises ClientRefused if it was used before."""
    if await tx.assertions.seek(use, scoped=False) is not None:
        raise ClientRefused
    tx.assertions.add(rules.mark_used(use, tx.now), scoped=False)


def _external_name(client_id: str) -> str:
    return f"client/{client_id}"
