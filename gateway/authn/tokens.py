"""Tokens from outside, verified and remembered. Not here: where keys come from (keys), what a caller may do (permissions)."""

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

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from gateway.authn.keys import Clock, KeySource
    from gateway.authn.revocation_cache import RevocationCache

ALGORITHMS = frozenset({"EdDSA", "RS256", "ES256"})
MAX_TOKEN_LENGTH = 8_192
CACHE_SECONDS = 60.0
MAX_CACHED = 20_000
MAX_EARLY_SECONDS = 5.0
MAX_TOKEN_SECONDS = 86_400  # a token that lived longer than its withdrawal is remembered (gateway/access/revocations) would be believed again
_KEY_ID = re.compile(r"[A-Za-z0-9._~:-]{1,128}")
_COMPACT_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_TOKEN_TYPES = frozenset({"jwt", "at+jwt"})
_HEADER_MEMBERS = frozenset(
    {"alg", "kid", "typ", "x5t"}
)  # x5t is a thumbprint, which we do not follow


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedIssuer:
    """An issuer that we trust. `grants_of(issuer, subject, chosen grant)` gives role and claims; without it the token's own are believed."""

    name: str
    audience: str
    key_source: KeySource
    algorithms: frozenset[str] = ALGORITHMS
    resolve_identity: Callable[[str, str, str], Awaitable[Identity]] | None = None


class TokenVerifier:
    """Verifies bearer tokens of the trusted issuers. `clock` in epoch seconds.

    A clock that was seen to be ahead of ours is taken to be so: what it issued before a withdrawal must not look issued after it.
    What was proved once is remembered by the token's hash until it expires, at most 60 s, and looked up among the revocations each time.
    """

    def __init__(
        self, issuers: Sequence[TrustedIssuer], revocations: RevocationCache, clock: Clock
    ) -> None:
        self._issuers = {issuer.name: issuer for issuer in issuers}
        self._revocations, self._clock = revocations, clock
        self._clock_skew_seconds = dict.fromkeys(self._issuers, 0.0)
        self._cache: OrderedDict[tuple[bytes, str], tuple[float, Identity]] = OrderedDict()

    async def verify(self, token: str, chosen_grant: str) -> Identity:
        """The caller that this token proves; TokenRefused when it proves nobody, IssuerUnavailable when that cannot be known now."""
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenRefused
        if not self._revocations.is_loaded:
            raise IssuerUnavailable
        known = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest(), chosen_grant
        remembered = self._cache.get(known)
        if remembered is not None and remembered[0] > self._clock():
            identity = remembered[1]
        else:
            identity = await self._verify_token(token, chosen_grant)
            self._cache[known] = (
                min(identity.expires_at, self._clock() + CACHE_SECONDS),
                identity,
            )
            if len(self._cache) > MAX_CACHED:
                self._cache.popitem(last=False)
        if self._revocations.covers(identity):
            raise TokenRefused
        return identity

    async def _verify_token(self, token: str, chosen_grant: str) -> Identity:
        if not _COMPACT_JWT.fullmatch(token):
            raise TokenRefused
        header, unproved = (_parse_members(part) for part in token.split(".")[:2])
        issuer = self._issuers.get(str(unproved.get("iss", "")))
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
                options={
                    "require": ["exp", "iat", "sub", "aud", "iss"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except (jwt.InvalidTokenError, ValueError, TypeError):
            raise TokenRefused from None
        self._check_times(content)
        ahead = self._clock_skew_seconds[issuer.name] = max(
            self._clock_skew_seconds[issuer.name], content["iat"] - self._clock()
        )
        return await _build_identity(content, issuer, chosen_grant, ahead)

    def _check_times(self, content: Mapping[str, Any]) -> None:
        now = self._clock()
        times = [content.get(name, now) for name in ("exp", "iat", "nbf")]
        if not all(isinstance(time, (int, float)) and not isinstance(time, bool) for time in times):
            raise TokenRefused
        expires, issued, begins = times
        if not (
            now < expires <= issued + MAX_TOKEN_SECONDS
            and max(issued, begins) <= now + MAX_EARLY_SECONDS
        ):
            raise TokenRefused


def _parse_members(segment: str) -> dict[str, Any]:
    """What a part of a token says, unproved; TokenRefused where two readers could read it differently."""
    try:
        told = json.loads(
            base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)),
            object_pairs_hook=_reject_duplicates,
            parse_constant=_reject_constant,
        )
    except (ValueError, RecursionError):
        raise TokenRefused from None
    if not isinstance(told, dict):
        raise TokenRefused
    return cast("dict[str, Any]", told)


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _reject_constant(_: str) -> Any:
    raise ValueError


def _is_header_allowed(header: Mapping[str, Any], issuer: TrustedIssuer) -> bool:
    """Whether the header names an algorithm we take and a key id of plain letters, and nothing else: no key, address or extension of its own."""
    key_id, algorithm, kind = header.get("kid"), header.get("alg"), header.get("typ", "JWT")
    return (
        header.keys() <= _HEADER_MEMBERS
        and isinstance(algorithm, str)
        and algorithm in issuer.algorithms & ALGORITHMS
        and isinstance(key_id, str)
        and _KEY_ID.fullmatch(key_id) is not None
        and isinstance(kind, str)
        and kind.lower() in _TOKEN_TYPES
    )


async def _build_identity(
    content: Mapping[str, Any], issuer: TrustedIssuer, chosen_grant: str, clock_skew_seconds: float
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
    expires = float(content["exp"])
    return replace(
        identity,
        token_id=str(content.get("jti", "")),
        session=str(content.get("sid", "")),
        issued_at=float(content["iat"]) - clock_skew_seconds,
        expires_at=min(expires, identity.expires_at or expires),
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
        if (
            name not in CLAIMS
            or not isinstance(values, list)
            or not all(isinstance(value, str) for value in cast("list[Any]", values))
        ):
            raise TokenRefused
        scopes[name] = frozenset(cast("list[str]", values))
    return scopes
