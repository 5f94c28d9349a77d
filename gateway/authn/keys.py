"""An issuer's public keys, cached through outages. Not here: token verification (tokens)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, cast

import structlog

from gateway.access.jwk import PublicKey, parse_jwk, supports_algorithm
from gateway.problems import IssuerUnavailable

Fetch = Callable[[str], Awaitable[Mapping[str, Any]]]
Clock = Callable[[], float]

FRESH_SECONDS = 300.0
STALE_SECONDS = 86_400.0
NEGATIVE_CACHE_SECONDS = 30.0
RETRY_SECONDS = 5.0
# A request whose key is cached waits at most this long for an issuer that does not respond.
REFRESH_WAIT_SECONDS = 0.5
MAX_KEYS = 50
MAX_UNKNOWN = 1_000
NEVER = float("-inf")

log = structlog.get_logger(__name__)


class KeysUnavailable(Exception):
    """The issuer gave no usable keys."""


class KeySource(Protocol):
    """A source of one issuer's public keys."""

    async def find(self, key_id: str, algorithm: str) -> PublicKey | None:
        """Return the key of this id if it supports the algorithm. Raises IssuerUnavailable."""
        ...


class StaticKeys:
    """Keys that are given at the start and do not change."""

    def __init__(self, keys: Mapping[str, PublicKey]) -> None:
        self._keys = dict(keys)

    async def find(self, key_id: str, algorithm: str) -> PublicKey | None:
        """Return the key of this id if it supports the algorithm."""
        return _if_supported(self._keys.get(key_id), algorithm)


class JwksKeys:
    """The keys of an OIDC issuer (OpenID Connect Discovery 1.0, RFC 7517).

    All waiting requests share one fetch. Cached keys stay in use for STALE_SECONDS if the issuer is
    unavailable. Unknown key ids are cached for NEGATIVE_CACHE_SECONDS. `clock` is monotonic, in
    seconds.
    """

    def __init__(self, issuer: str, jwks_uri: str, fetch: Fetch, clock: Clock) -> None:
        self._issuer = issuer
        self._jwks_uri = jwks_uri
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, PublicKey] = {}
        self._fetched_at = NEVER
        self._requested_at = NEVER
        self._unknown_until: dict[str, float] = {}
        self._refresh_task: asyncio.Task[bool] | None = None

    async def find(self, key_id: str, algorithm: str) -> PublicKey | None:
        """Return the key of this id if it supports the algorithm.

        Fetches the keys if they are old or the id is new, at most once in RETRY_SECONDS.
        Raises IssuerUnavailable if there are no keys younger than STALE_SECONDS.
        """
        is_known = key_id in self._keys
        if not is_known and self._unknown_until.get(key_id, NEVER) > self._clock():
            return None
        if not is_known or self._age() > FRESH_SECONDS:
            await self._refresh_for(key_id)
        if self._age() > STALE_SECONDS:
            raise IssuerUnavailable(retry_after=int(RETRY_SECONDS))
        return _if_supported(self._keys.get(key_id), algorithm)

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    async def _refresh_for(self, key_id: str) -> None:
        if key_id in self._keys and self._age() <= STALE_SECONDS:
            is_loaded = await self._refresh_briefly()
        else:
            is_loaded = await self._refresh()
        if is_loaded and key_id not in self._keys:
            self._remember_unknown(key_id)

    async def _refresh(self) -> bool:
        """Load the keys unless that was tried within RETRY_SECONDS; return whether it worked."""
        if self._refresh_task is None:
            if self._clock() - self._requested_at < RETRY_SECONDS:
                return False
            self._requested_at = self._clock()
            self._refresh_task = asyncio.create_task(self._load_keys())
            self._refresh_task.add_done_callback(self._finish_refresh)
        return await asyncio.shield(self._refresh_task)

    async def _refresh_briefly(self) -> bool:
        """Refresh as `_refresh` does, but wait at most REFRESH_WAIT_SECONDS.

        Only the request that starts the fetch waits; all others continue with the cached key.
        """
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
                "issuer gave no keys; the previous keys stay in use",
                issuer=self._issuer,
                reason=str(error),
            )
            return False
        self._fetched_at = self._clock()
        self._unknown_until.clear()
        return True

    async def _discover_jwks_uri(self) -> str:
        document = await self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        jwks_uri = document.get("jwks_uri")
        if document.get("issuer") != self._issuer or not isinstance(jwks_uri, str):
            raise KeysUnavailable("the discovery document names another issuer or no jwks_uri")
        return jwks_uri

    def _remember_unknown(self, key_id: str) -> None:
        if len(self._unknown_until) >= MAX_UNKNOWN:
            self._unknown_until.clear()
        self._unknown_until[key_id] = self._clock() + NEGATIVE_CACHE_SECONDS


def _if_supported(key: PublicKey | None, algorithm: str) -> PublicKey | None:
    if key is None or not supports_algorithm(key, algorithm):
        return None
    return key


def _parse_keys(document: Mapping[str, Any]) -> dict[str, PublicKey]:
    entries = document.get("keys")
    if not isinstance(entries, list):
        raise KeysUnavailable("the document has no keys")
    keys: dict[str, PublicKey] = {}
    for entry in cast("list[Any]", entries)[:MAX_KEYS]:
        key = _parse_signing_key(entry)
        if key is not None:
            keys[str(entry["kid"])] = key
    if not keys:
        raise KeysUnavailable("the document has no signing key of an accepted type")
    return keys


def _parse_signing_key(entry: Any) -> PublicKey | None:
    """Return the public key of one JWK; None if it has no id, another use or another type."""
    if not isinstance(entry, dict):
        return None
    jwk = cast("dict[str, Any]", entry)
    if not isinstance(jwk.get("kid"), str) or jwk.get("use", "sig") != "sig":
        return None
    return parse_jwk(jwk)
