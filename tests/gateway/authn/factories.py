"""Tokens and a verifier with a clock that a test moves. Not here: tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.authn.dev_issuer import AUDIENCE, ISSUER
from gateway.authn.keys import StaticKeys
from gateway.authn.revocation_cache import RevocationCache
from gateway.authn.tokens import TokenVerifier, TrustedIssuer


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Counting(StaticKeys):
    """Keys that count how often they are looked up."""

    asked = 0

    async def find(self, key_id: str, algorithm: str) -> Any:
        self.asked += 1
        return await super().find(key_id, algorithm)


def nothing_revoked() -> RevocationCache:
    withdrawn = RevocationCache()
    withdrawn.replace_all([], [])
    return withdrawn


def own_tokens(
    key: Ed25519PrivateKey, clock: Clock, withdrawn: RevocationCache | None = None
) -> tuple[TokenVerifier, Counting]:
    keys = Counting({"k": key.public_key()})
    return TokenVerifier(
        [TrustedIssuer(name=ISSUER, audience=AUDIENCE, key_source=keys)],
        withdrawn or nothing_revoked(),
        clock,
    ), keys


def signed(
    key: Any,
    clock: Clock,
    *,
    algorithm: str = "EdDSA",
    kid: str = "k",
    issuer: str = ISSUER,
    seconds: float = 600,
    headers: Mapping[str, Any] | None = None,
    **more: Any,
) -> str:
    content: dict[str, Any] = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": "officer",
        "iat": clock.now,
        "exp": clock.now + seconds,
        "role": "head",
        "claims": {},
        "jti": "t-1",
    }
    members = {"kid": kid} | dict(headers or {})
    return jwt.encode(content | more, key, algorithm=algorithm, headers=members)
