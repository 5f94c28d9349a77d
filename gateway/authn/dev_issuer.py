"""The built-in issuer: tokens for any role on a developer's machine. Not here: anything that production trusts."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from chassis.caller import CLAIMS
from chassis.ids import named_id, new_id
from gateway.access.permissions import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ISSUER = "urn:bina:development"
AUDIENCE = "bina"


class TokenNotIssued(ValueError):
    """No such role or claim, or not a place for this issuer; the text says which (English, for the terminal)."""


def issue_development_token(
    private_key_pem: str,
    role: str,
    claims: Mapping[str, str | Iterable[str]],
    subject: str | None = None,
    hours: float = 12,
) -> str:
    """A token of the built-in issuer for this role and these claims, valid for so many hours. TokenNotIssued where it must not or cannot be made."""
    if os.environ.get("BINA_ENVIRONMENT") == "production":
        raise TokenNotIssued("the built-in issuer makes no tokens in production")
    if role not in ROLES:
        raise TokenNotIssued(f"no role {role!r}; roles are {', '.join(sorted(ROLES))}")
    if unknown := sorted(set(claims) - CLAIMS):
        raise TokenNotIssued(
            f"no claim {', '.join(unknown)}; claims are {', '.join(sorted(CLAIMS))}"
        )
    scopes = {
        name: [value] if isinstance(value, str) else sorted(value)
        for name, value in sorted(claims.items())
    }
    key = load_pem_private_key(private_key_pem.encode(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TokenNotIssued("the key of the built-in issuer must be Ed25519")
    now = int(time.time())
    content = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject or named_id("development", role, str(scopes)),
        "iat": now,
        "nbf": now,
        "exp": now + int(hours * 3600),
        "jti": new_id(),
        "role": role,
        "claims": scopes,
    }
    return jwt.encode(
        content, key, algorithm="EdDSA", headers={"kid": thumbprint(key.public_key())}
    )


def public_jwk(key: Ed25519PublicKey) -> dict[str, Any]:
    """The public key as the issuer's JWKS shows it (RFC 8037)."""
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": _encode(_raw_bytes(key)),
        "kid": thumbprint(key),
        "alg": "EdDSA",
        "use": "sig",
    }


def thumbprint(key: Ed25519PublicKey) -> str:
    """The JWK thumbprint (RFC 7638), which is our key id."""
    return _encode(
        hashlib.sha256(
            f'{{"crv":"Ed25519","kty":"OKP","x":"{_encode(_raw_bytes(key))}"}}'.encode()
        ).digest()
    )


def _raw_bytes(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
