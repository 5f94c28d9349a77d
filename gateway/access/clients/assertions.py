"""A client's signed assertion (RFC 7523, private_key_jwt).

Not here: whether it was used before (usecases).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import jwt

from chassis.errors import Refused
from gateway.access.clients.rules import ASSERTION_SECONDS, Client, ClientRefused
from gateway.access.hashing import hash_token
from gateway.access.jwk import PublicKey, parse_jwk, supports_algorithm

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("EdDSA", "ES256", "RS256")
MAX_ASSERTION_LENGTH = 8_192
_UNREADABLE = (jwt.InvalidTokenError, ValueError, TypeError, RecursionError)


class KeyRefused(Refused):
    """No public key of an accepted kind."""

    title = "Kunci publik tidak dapat dipakai"
    field = "jwk"


def serialise_key(jwk: Mapping[str, Any]) -> str:
    """Return the public key as it is stored.

    Raises KeyRefused for a private or symmetric key, or another kind.
    """
    key = None if "d" in jwk or "k" in jwk else parse_jwk(jwk)
    if key is None or not any(supports_algorithm(key, algorithm) for algorithm in ALGORITHMS):
        raise KeyRefused
    return json.dumps(dict(jwk), sort_keys=True)


def read_claimed_client(assertion: str) -> str:
    """Return the client that the assertion names, unproved; "" if it cannot be read."""
    try:
        return (
            str(jwt.decode(assertion, options={"verify_signature": False}).get("sub", ""))
            if len(assertion) <= MAX_ASSERTION_LENGTH
            else ""
        )
    except _UNREADABLE:
        return ""


def verify_assertion(client: Client, assertion: str, audiences: Collection[str], now: float) -> str:
    """Return the id (`jti`) of this assertion.

    Raises ClientRefused unless it is of this client, for us, signed by one of its keys and short-
    lived.
    """
    for kept_key in client.keys.values():
        content = _decode(assertion, parse_jwk(json.loads(kept_key)), client.id, audiences)
        if content is not None:
            expires = content.get("exp")
            name = content.get("jti")
            if (
                isinstance(expires, (int, float))
                and now < expires <= now + ASSERTION_SECONDS
                and isinstance(name, str)
                and name
            ):
                return hash_token(f"{client.id}\x1f{name}")
    raise ClientRefused


def _decode(
    assertion: str, key: PublicKey | None, client_id: str, audiences: Collection[str]
) -> Mapping[str, Any] | None:
    try:
        algorithm = jwt.get_unverified_header(assertion).get("alg", "")
        if key is None or algorithm not in ALGORITHMS or not supports_algorithm(key, algorithm):
            return None
        options: Any = {
            "require": ["exp", "jti", "aud", "iss", "sub"],
            "verify_exp": False,
            "verify_iat": False,
        }
        return jwt.decode(
            assertion,
            key,
            algorithms=[algorithm],
            audience=list(audiences),
            issuer=client_id,
            subject=client_id,
            options=options,
        )
    except _UNREADABLE:
        return None
