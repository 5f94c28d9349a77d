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
from gateway.problems import IdentityAway, TokenRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from gateway.authn.keys import Clock, Keys
    from gateway.authn.revocation_cache import Revocations

ALGORITHMS = frozenset({"EdDSA", "RS256", "ES256"})
LONGEST_TOKEN = 8_192
REMEMBERED_SECONDS = 60.0
MOST_REMEMBERED = 20_000
EARLY_SECONDS = 5.0
LONGEST_SECONDS = 86_400  # a token that lived longer than its withdrawal is remembered (gateway/access/revocations) would be believed again
_KEY_ID = re.compile(r"[A-Za-z0-9._~:-]{1,128}")
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_TOKEN_TYPES = frozenset({"jwt", "at+jwt"})
_HEADER_MEMBERS = frozenset(
    {"alg", "kid", "typ", "x5t"}
)  # x5t is a thumbprint, which we do not follow


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """An issuer that we trust. `grants_of(issuer, subject, chosen grant)` gives role and claims; without it the token's own are believed."""

    name: str
    audience: str
    keys: Keys
    algorithms: frozenset[str] = ALGORITHMS
    grants_of: Callable[[str, str, str], Awaitable[Identity]] | None = None


class Tokens:
    """Verifies bearer tokens of the trusted issuers. `clock` in epoch seconds.

    A clock that was seen to be ahead of ours is taken to be so: what it issued before a withdrawal must not look issued after it.
    What was proved once is remembered by the token's hash until it expires, at most 60 s, and looked up among the revocations each time.
    """

    def __init__(self, issuers: Sequence[Issuer], revocations: Revocations, clock: Clock) -> None:
        self._issuers = {issuer.name: issuer for issuer in issuers}
        self._revocations, self._clock = revocations, clock
        self._ahead = dict.fromkeys(self._issuers, 0.0)
        self._remembered: OrderedDict[tuple[bytes, str], tuple[float, Identity]] = OrderedDict()

    async def identify(self, token: str, chosen_grant: str) -> Identity:
        """The caller that this token proves; TokenRefused when it proves nobody, IdentityAway when that cannot be known now."""
        if len(token) > LONGEST_TOKEN:
            raise TokenRefused
        if not self._revocations.known:
            raise IdentityAway
        known = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest(), chosen_grant
        remembered = self._remembered.get(known)
        if remembered is not None and remembered[0] > self._clock():
            identity = remembered[1]
        else:
            identity = await self._proved(token, chosen_grant)
            self._remembered[known] = (
                min(identity.expires_at, self._clock() + REMEMBERED_SECONDS),
                identity,
            )
            if len(self._remembered) > MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        if self._revocations.cover(identity):
            raise TokenRefused
        return identity

    async def _proved(self, token: str, chosen_grant: str) -> Identity:
        if not _COMPACT.fullmatch(token):
            raise TokenRefused
        header, unproved = (_members(part) for part in token.split(".")[:2])
        issuer = self._issuers.get(str(unproved.get("iss", "")))
        if issuer is None or not _header_is_plain(header, issuer):
            raise TokenRefused
        key = await issuer.keys.find(header["kid"], header["alg"])
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
        ahead = self._ahead[issuer.name] = max(
            self._ahead[issuer.name], content["iat"] - self._clock()
        )
        return await _identity(content, issuer, chosen_grant, ahead)

    def _check_times(self, content: Mapping[str, Any]) -> None:
        now = self._clock()
        times = [content.get(name, now) for name in ("exp", "iat", "nbf")]
        if not all(isinstance(time, (int, float)) and not isinstance(time, bool) for time in times):
            raise TokenRefused
        expires, issued, begins = times
        if not (
            now < expires <= issued + LONGEST_SECONDS and max(issued, begins) <= now + EARLY_SECONDS
        ):
            raise TokenRefused


def _members(part: str) -> dict[str, Any]:
    """What a part of a token says, unproved; TokenRefused where two readers could read it differently."""
    try:
        told = json.loads(
            base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)),
            object_pairs_hook=_each_once,
            parse_constant=_refused,
        )
    except (ValueError, RecursionError):
        raise TokenRefused from None
    if not isinstance(told, dict):
        raise TokenRefused
    return cast("dict[str, Any]", told)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _refused(_: str) -> Any:
    raise ValueError


def _header_is_plain(header: Mapping[str, Any], issuer: Issuer) -> bool:
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


async def _identity(
    content: Mapping[str, Any], issuer: Issuer, chosen_grant: str, ahead: float
) -> Identity:
    subject = content["sub"]
    if not subject:
        raise TokenRefused
    if issuer.grants_of is not None:
        identity = await issuer.grants_of(issuer.name, subject, chosen_grant)
    else:
        identity = Identity(
            subject=subject,
            role=_role(content.get("role")),
            claims=_claims(content.get("claims", {})),
        )
    expires = float(content["exp"])
    return replace(
        identity,
        token_id=str(content.get("jti", "")),
        session=str(content.get("sid", "")),
        issued_at=float(content["iat"]) - ahead,
        expires_at=min(expires, identity.expires_at or expires),
    )


def _role(role: object) -> str:
    if not isinstance(role, str) or role not in ROLES:
        raise TokenRefused
    return role


def _claims(claims: object) -> dict[str, frozenset[str]]:
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
