"""Verifies callers' bearer tokens and caches the result. Not here: the issuers' keys (keys)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import jwt

from chassis.caller import CLAIMS
from gateway.access.identity import Identity
from gateway.access.permissions import ROLES
from gateway.problems import IssuerUnavailable, TokenRefused
from gateway.settings import ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from gateway.authn.keys import Clock, KeySource
    from gateway.authn.revocation_cache import RevocationCache

MAX_TOKEN_LENGTH = 8_192
CACHE_SECONDS = 60.0
MAX_CACHED = 20_000
MAX_EARLY_SECONDS = 5.0
# Revocations are kept for two days (access/revocations). A token with a longer lifetime would be
# accepted again.
MAX_TOKEN_SECONDS = 86_400
_KEY_ID = re.compile(r"[A-Za-z0-9._~:+/=-]{1,128}")
_COMPACT_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_TOKEN_TYPES = frozenset({"jwt", "at+jwt"})
# Thumbprints of a certificate, which we ignore.
_THUMBPRINTS = frozenset({"x5t", "x5t#S256"})
_HEADER_MEMBERS = frozenset({"alg", "kid", "typ"}) | _THUMBPRINTS
_DECODE_OPTIONS: Any = {
    "require": ["exp", "iat", "sub", "aud", "iss"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedIssuer:
    """An issuer that we trust.

    `resolve_identity(issuer, subject, chosen grant)` returns role and claims from our grants. If it
    is None, the members `role` and `claims` of the token are used.
    """

    name: str
    audience: str
    key_source: KeySource
    algorithms: frozenset[str] = ALGORITHMS
    resolve_identity: Callable[[str, str, str], Awaitable[Identity]] | None = None


class TokenVerifier:
    """Verifies bearer tokens of the trusted issuers. `clock` gives epoch seconds.

    A verified token is cached by its hash until it expires, at most CACHE_SECONDS; revocations are
    checked each time. The largest observed lead of the issuer's clock over ours is subtracted from
    `iat`, so that a token issued before a revocation does not look as if it was issued after it.
    """

    def __init__(
        self, issuers: Sequence[TrustedIssuer], revocations: RevocationCache, clock: Clock
    ) -> None:
        self._issuers = {issuer.name: issuer for issuer in issuers}
        self._revocations = revocations
        self._clock = clock
        self._clock_lead_seconds = dict.fromkeys(self._issuers, 0.0)
        self._cache: OrderedDict[tuple[bytes, str], tuple[float, Identity]] = OrderedDict()

    async def verify(self, token: str, chosen_grant: str) -> Identity:
        """Return the caller that this token proves. Raises TokenRefused, IssuerUnavailable."""
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenRefused
        if not self._revocations.is_loaded:
            raise IssuerUnavailable
        token_hash = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        key = token_hash, chosen_grant
        cached = self._cache.get(key)
        if cached is not None and cached[0] > self._clock():
            identity = cached[1]
        else:
            identity = await self._verify_token(token, chosen_grant)
            self._remember(key, identity)
        if self._revocations.covers(identity):
            raise TokenRefused
        return identity

    def _remember(self, key: tuple[bytes, str], identity: Identity) -> None:
        valid_until = min(identity.expires_at, self._clock() + CACHE_SECONDS)
        self._cache[key] = valid_until, identity
        self._cache.move_to_end(key)
        if len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)

    async def _verify_token(self, token: str, chosen_grant: str) -> Identity:
        if not _COMPACT_JWT.fullmatch(token):
            raise TokenRefused
        header_segment, payload_segment, _ = token.split(".")
        header = _parse_members(header_segment)
        unverified = _parse_members(payload_segment)
        issuer = self._issuers.get(str(unverified.get("iss", "")))
        if issuer is None or not _is_header_allowed(header, issuer):
            raise TokenRefused
        key = await issuer.key_source.find(header["kid"], header["alg"])
        if key is None:
            raise TokenRefused
        try:
            content = jwt.decode(
                token,
                key,
                algorithms=[header["alg"]],
                audience=issuer.audience,
                issuer=issuer.name,
                options=_DECODE_OPTIONS,
            )
        except (jwt.InvalidTokenError, ValueError, TypeError):
            raise TokenRefused from None
        self._check_times(content)
        clock_lead = self._measure_clock_lead(issuer, content["iat"])
        return await _build_identity(content, issuer, chosen_grant, clock_lead)

    def _check_times(self, content: Mapping[str, Any]) -> None:
        now = self._clock()
        expires_at = _read_time(content, "exp", now)
        issued_at = _read_time(content, "iat", now)
        begins_at = _read_time(content, "nbf", now)
        is_unexpired = now < expires_at <= issued_at + MAX_TOKEN_SECONDS
        has_begun = max(issued_at, begins_at) <= now + MAX_EARLY_SECONDS
        if not (is_unexpired and has_begun):
            raise TokenRefused

    def _measure_clock_lead(self, issuer: TrustedIssuer, issued_at: float) -> float:
        """Return the largest observed lead of the issuer's clock over ours, in seconds."""
        clock_lead = max(self._clock_lead_seconds[issuer.name], issued_at - self._clock())
        self._clock_lead_seconds[issuer.name] = clock_lead
        return clock_lead


def _read_time(content: Mapping[str, Any], name: str, default: float) -> float:
    moment = content.get(name, default)
    if isinstance(moment, bool) or not isinstance(moment, (int, float)):
        raise TokenRefused
    return moment


def _parse_members(segment: str) -> dict[str, Any]:
    """Return the members of an unverified token segment. Raises TokenRefused if ambiguous."""
    padded = segment + "=" * (-len(segment) % 4)
    try:
        members = json.loads(
            base64.urlsafe_b64decode(padded),
            object_pairs_hook=_reject_duplicates,
            parse_constant=_reject_constant,
        )
    except (ValueError, RecursionError):
        raise TokenRefused from None
    if not isinstance(members, dict):
        raise TokenRefused
    return cast("dict[str, Any]", members)


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError
    return members


def _reject_constant(_: str) -> Any:
    raise ValueError


def _is_header_allowed(header: Mapping[str, Any], issuer: TrustedIssuer) -> bool:
    """Return whether the header has only an accepted algorithm, a plain key id and a type.

    A header with a key, a key's address or an extension (`jwk`, `jku`, `x5c`, `crit`) is refused.
    """
    if not header.keys() <= _HEADER_MEMBERS:
        return False
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in issuer.algorithms & ALGORITHMS:
        return False
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        return False
    token_type = header.get("typ", "JWT")
    if not isinstance(token_type, str):
        return False
    # RFC 7515, 4.1.9: the prefix may be left out.
    return token_type.lower().removeprefix("application/") in _TOKEN_TYPES


async def _build_identity(
    content: Mapping[str, Any], issuer: TrustedIssuer, chosen_grant: str, clock_lead: float
) -> Identity:
    subject = content["sub"]
    if not subject:
        raise TokenRefused
    if issuer.resolve_identity is not None:
        identity = await issuer.resolve_identity(issuer.name, subject, chosen_grant)
    else:
        identity = Identity(
            subject=subject,
            role=_parse_role(content.get("role")),
            claims=_parse_claims(content.get("claims", {})),
        )
    expires_at = float(content["exp"])
    return replace(
        identity,
        token_id=str(content.get("jti", "")),
        session_id=str(content.get("sid", "")),
        issued_at=float(content["iat"]) - clock_lead,
        expires_at=min(expires_at, identity.expires_at or expires_at),
    )


def _parse_role(role: object) -> str:
    if not isinstance(role, str) or role not in ROLES:
        raise TokenRefused
    return role


def _parse_claims(claims: object) -> dict[str, frozenset[str]]:
    if not isinstance(claims, dict):
        raise TokenRefused
    scopes: dict[str, frozenset[str]] = {}
    for name, values in cast("dict[str, Any]", claims).items():
        if name not in CLAIMS or not isinstance(values, list):
            raise TokenRefused
        items = cast("list[Any]", values)
        if not all(isinstance(item, str) for item in items):
            raise TokenRefused
        scopes[name] = frozenset(items)
    return scopes
