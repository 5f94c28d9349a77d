"""Public keys as JSON Web Keys (RFC 7517).

Not here: where the keys of an issuer come from (authn).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PublicKey = Ed25519PublicKey | RSAPublicKey | EllipticCurvePublicKey

MIN_RSA_BITS = 2_048
MAX_RSA_BITS = 8_192  # a larger key only slows verification down


def supports_algorithm(key: PublicKey, algorithm: str) -> bool:
    """Return whether this key may verify this algorithm.

    The type of the key decides, not the `alg` of the token.
    """
    match key:
        case Ed25519PublicKey():
            return algorithm == "EdDSA"
        case RSAPublicKey():
            return algorithm == "RS256" and MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS
        case _:
            return algorithm == "ES256" and isinstance(key.curve, SECP256R1)


def parse_jwk(jwk: Mapping[str, Any]) -> PublicKey | None:
    """Return the public key in a JWK; None if it holds no key of an accepted type."""
    try:
        key = jwt.PyJWK(dict(jwk)).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, (Ed25519PublicKey, RSAPublicKey, EllipticCurvePublicKey)):
        return key
    return None


def public_jwk(key: Ed25519PublicKey) -> dict[str, Any]:
    """Return the public key as a JWKS publishes it (RFC 8037)."""
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": _encode(_raw_bytes(key)),
        "kid": thumbprint(key),
        "alg": "EdDSA",
        "use": "sig",
    }


def thumbprint(key: Ed25519PublicKey) -> str:
    """Return the JWK thumbprint (RFC 7638), which is our key id."""
    members = f'{{"crv":"Ed25519","kty":"OKP","x":"{_encode(_raw_bytes(key))}"}}'
    return _encode(hashlib.sha256(members.encode()).digest())


def _raw_bytes(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
