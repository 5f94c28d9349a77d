"""Rules of clients (systems), which authenticate by a secret or a key in one of two slots.

With two slots a secret or key is replaced without a gap. Not here: calls per day (daily_quota).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chassis.errors import NotFound
from gateway.texts import TEXTS

ASSERTION_SECONDS = 300
CALLS_PER_DAY = 20_000  # reading the feed by long polls of 25 s takes 3,456


class ClientUnknown(NotFound):
    """No such client."""

    title = TEXTS["errors.client_unknown"]


class ClientRefused(Exception):
    """The client's authentication failed; callers cannot distinguish why."""


class AssertionUnknown(NotFound):
    """The assertion has not been used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A system that calls in its own name.

    `secrets` are hashes by slot ("1", "2"), `keys` public JWKs as JSON by slot.
    """

    id: str
    version: int = 0
    user_id: str
    home: str
    label: str
    secrets: dict[str, str] = field(default_factory=dict[str, str])
    keys: dict[str, str] = field(default_factory=dict[str, str])
    calls_per_day: int = CALLS_PER_DAY
    disabled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """A used assertion (RFC 7523, `jti`), remembered until it expires."""

    id: str
    version: int = 0
    kept_until: datetime


def set_quota(client: Client, calls_per_day: int) -> Client:
    """Return the client with another quota."""
    return replace(client, calls_per_day=calls_per_day)


def put_secret(client: Client, slot: str, hashed: str) -> Client:
    """Return the client with another secret in this slot."""
    return replace(client, secrets=client.secrets | {slot: hashed})


def put_key(client: Client, slot: str, jwk: str) -> Client:
    """Return the client with another key in this slot."""
    return replace(client, keys=client.keys | {slot: jwk})


def empty_slot(client: Client, slot: str) -> Client:
    """Return the client without secret and key of this slot; a repeat changes nothing."""
    return replace(
        client, secrets=_without_slot(client.secrets, slot), keys=_without_slot(client.keys, slot)
    )


def has_secret(client: Client, hashed: str) -> bool:
    """Return whether this is the hash of one of the client's secrets."""
    return any(hmac.compare_digest(kept, hashed) for kept in client.secrets.values())


def mark_used(id_: str, now: datetime) -> Assertion:
    """Return the record of a used assertion."""
    return Assertion(id=id_, kept_until=now + timedelta(seconds=2 * ASSERTION_SECONDS))


def _without_slot(slots: Mapping[str, str], slot: str) -> dict[str, str]:
    return {name: value for name, value in slots.items() if name != slot}
