"""An issuer's public keys: fetched once for all who wait, kept through outages, unknown ones remembered. Not here: what a token must say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, cast

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from gateway.problems import IssuerUnavailable

PublicKey = Ed25519PublicKey | RSAPublicKey | EllipticCurvePublicKey
Fetch = Callable[[str], Awaitable[Mapping[str, Any]]]
Clock = Callable[[], float]

FRESH_SECONDS = 300.0
STALE_SECONDS = 86_400.0
NEGATIVE_CACHE_SECONDS = 30.0
RETRY_SECONDS = 5.0
REFRESH_WAIT_SECONDS = 0.5  # an issuer that hangs holds up nobody whose key we know
MAX_KEYS = 50
MAX_UNKNOWN = 1_000
MIN_RSA_BITS, MAX_RSA_BITS = 2_048, 8_192  # a larger one only costs us time

log = structlog.get_logger(__name__)


class KeysUnavailable(Exception):
    """The issuer gave no keys that can be used."""


class KeySource(Protocol):
    """Where the public keys of one issuer come from."""

    async def find(self, key_id: str, algorithm: str) -> PublicKey | None:
        """The key of this id for this algorithm; None when the issuer has none. IssuerUnavailable when that cannot be known now."""
        ...


class StaticKeys:
    """Keys that are known from the start."""

    def __init__(self, keys: Mapping[str, PublicKey]) -> None:
        self._keys = dict(keys)

    async def find(self, key_id: str, algorithm: str) -> PublicKey | None:
        """The key of this id for this algorithm."""
        key = self._keys.get(key_id)
        return key if key is not None and supports_algorithm(key, algorithm) else None


class JwksKeys:
    """The keys of an OIDC issuer (OpenID Connect Discovery 1.0, RFC 7517). `clock` in seconds, monotonic."""

    def __init__(self, issuer: str, jwks_uri: str, fetch: Fetch, clock: Clock) -> None:
        self._issuer, self._jwks_uri, self._fetch, self._clock = issuer, jwks_uri, fetch, clock
        self._keys: dict[str, PublicKey] = {}
        self._fetched_at = float("-inf")
        self._requested_at = float("-inf")
        self._unknown_until: dict[str, float] = {}
        self._refresh_task: asyncio.Task[bool] | None = None

    async def find(self, key_id: str, algorithm: str) -> PublicKey | None:
        """The key of this id for this algorithm; asks the issuer when ours are old or the id is new, never twice within 5 s."""
        key = self._keys.get(key_id)
        if key is None and self._unknown_until.get(key_id, float("-inf")) > self._clock():
            return None
        if self._clock() - self._fetched_at > FRESH_SECONDS or key is None:
            loaded = (
                await self._refresh()
                if key is None or self._clock() - self._fetched_at > STALE_SECONDS
                else await self._refresh_briefly()
            )
            key = self._keys.get(key_id)
            if key is None and loaded:
                self._remember_unknown(key_id)
        if self._clock() - self._fetched_at > STALE_SECONDS:
            raise IssuerUnavailable(retry_after=int(RETRY_SECONDS))
        return key if key is not None and supports_algorithm(key, algorithm) else None

    async def _refresh(self) -> bool:
        """Load the keys anew unless that was tried a moment ago; whether they were loaded."""
        if self._refresh_task is None:
            if self._clock() - self._requested_at < RETRY_SECONDS:
                return False
            self._requested_at = self._clock()
            self._refresh_task = asyncio.create_task(self._load_keys())
            self._refresh_task.add_done_callback(self._finish_refresh)
        return await asyncio.shield(self._refresh_task)

    async def _refresh_briefly(self) -> bool:
        """As `_refresh`, where there is a known key to go on with: whoever begins it waits a moment, nobody else does."""
        if self._refresh_task is not None:
            return False
        try:
            async with asyncio.timeout(REFRESH_WAIT_SECONDS):
                return await self._refresh()
        except TimeoutError:
            return False

    def _finish_refresh(self, _: asyncio.Task[bool]) -> None:
        self._refresh_task = None
        self._requested_at = self._clock()

    async def _load_keys(self) -> bool:
        try:
            uri = self._jwks_uri or await self._discover_jwks_uri()
            self._keys = _parse_keys(await self._fetch(uri))
        except KeysUnavailable as error:
            log.warning(
                "issuer gave no keys, the former stay in use",
                issuer=self._issuer,
                reason=str(error),
            )
            return False
        self._fetched_at = self._clock()
        self._unknown_until.clear()
        return True

    async def _discover_jwks_uri(self) -> str:
        document = await self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != self._issuer or not isinstance(document.get("jwks_uri"), str):
            raise KeysUnavailable("the discovery document names another issuer or no jwks_uri")
        return str(document["jwks_uri"])

    def _remember_unknown(self, key_id: str) -> None:
        if len(self._unknown_until) >= MAX_UNKNOWN:
            self._unknown_until.clear()
        self._unknown_until[key_id] = self._clock() + NEGATIVE_CACHE_SECONDS


def supports_algorithm(key: PublicKey, algorithm: str) -> bool:
    """Whether a key of this kind may be used with this algorithm: what a token says of itself decides nothing."""
    match key:
        case Ed25519PublicKey():
            return algorithm == "EdDSA"
        case RSAPublicKey():
            return algorithm == "RS256" and MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS
        case _:
            return algorithm == "ES256" and isinstance(key.curve, SECP256R1)


def parse_jwk(jwk: Mapping[str, Any]) -> PublicKey | None:
    """The public key in a JWK; None where there is none of a kind that we take, whatever else stands there."""
    try:
        key = jwt.PyJWK(dict(jwk)).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    return (
        key if isinstance(key, (Ed25519PublicKey, RSAPublicKey, EllipticCurvePublicKey)) else None
    )


def _parse_keys(document: Mapping[str, Any]) -> dict[str, PublicKey]:
    entries = document.get("keys")
    if not isinstance(entries, list):
        raise KeysUnavailable("the document has no keys")
    found: dict[str, PublicKey] = {}
    for entry in cast("list[Any]", entries)[:MAX_KEYS]:
        key = _parse_signing_key(entry)
        if key is not None:
            found[str(entry["kid"])] = key
    if not found:
        raise KeysUnavailable("the document has no signing key of a kind that we take")
    return found


def _parse_signing_key(entry: Any) -> PublicKey | None:
    """The public key of one JWK; None for another kind, another use or without id."""
    if (
        not isinstance(entry, dict)
        or not isinstance(cast("dict[str, Any]", entry).get("kid"), str)
        or cast("dict[str, Any]", entry).get("use", "sig") != "sig"
    ):
        return None
    return parse_jwk(cast("dict[str, Any]", entry))
