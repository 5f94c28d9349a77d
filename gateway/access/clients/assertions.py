"""A client's signed assertion (RFC 7523, private_key_jwt).

Not here: the check that it is used once (usecases).
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
from gateway.texts import TEXTS

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("EdDSA", "ES256", "RS256")
MAX_ASSERTION_LENGTH = 8_192
_UNREADABLE = (jwt.InvalidTokenError, ValueError, TypeError, RecursionError)


class KeyRefused(Refused):
    """The JWK is no public key of an accepted type."""

    title = TEXTS["errors.key_refused"]
    field = "jwk"


def serialise_key(jwk: Mapping[str, Any]) -> str:
    """Return the public key in the form in which it is stored.

    Raises KeyRefused for a private or symmetric key, and for a type that is not accepted.
    """
    key = None if "d" in jwk or "k" in jwk else parse_jwk(jwk)
    if key is None or not any(supports_algorithm(key, algorithm) for algorithm in ALGORITHMS):
        raise KeyRefused
    return json.dumps(dict(jwk), sort_keys=True)


def read_claimed_client(assertion: str) -> str:
    """Return the client that the unverified assertion names; "" if it cannot be read."""
    if len(assertion) > MAX_ASSERTION_LENGTH:
        return ""
    try:
        content = jwt.decode(assertion, options={"verify_signature": False})
        return str(content.get("sub", ""))
    except _UNREADABLE:
        return ""


def verify_assertion(client: Client, assertion: str, audiences: Collection[str], now: float) -> str:
    """Return the id under which the use of this assertion is stored (a hash of its `jti`).

    Raises ClientRefused unless one of the client's keys signed it, for one of these audiences, for
    at most ASSERTION_SECONDS.
    """
    for stored_key in client.keys.values():
        content = _decode(assertion, parse_jwk(json.loads(stored_key)), client.id, audiences)
        if content is None:
            continue
        expires = content.get("exp")
        token_id = content.get("jti")
        is_number = isinstance(expires, (int, float))
        is_short_lived = is_number and now < expires <= now + ASSERTION_SECONDS
        if is_short_lived and isinstance(token_id, str) and token_id:
            return hash_token(f"{client.id}\x1f{token_id}")
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
