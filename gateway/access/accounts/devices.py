"""The key of a registered PC.

The browser creates it as non-extractable (WebCrypto, ECDSA P-256). Not here: the PIN of the PC.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from chassis.errors import Refused
from gateway.access.jwk import parse_jwk, supports_algorithm
from gateway.texts import TEXTS

SIGNATURE_HALF_BYTES = 32


class DeviceKeyRefused(Refused):
    """The JWK is no public key on the curve P-256."""

    title = TEXTS["errors.device_key_refused"]
    field = "public_key"


def serialise_key(jwk: dict[str, Any]) -> str:
    """Return the public key in the form in which it is stored.

    Raises DeviceKeyRefused for another type of key, or a private one.
    """
    public = {name: jwk.get(name) for name in ("kty", "crv", "x", "y")}
    if "d" in jwk or _parse_key(public) is None:
        raise DeviceKeyRefused
    return json.dumps(public)


def has_signed(public_key: str, message: str, signature: str) -> bool:
    """Return whether this key signed this message.

    The signature is r and s concatenated, as WebCrypto returns it (IEEE P1363), in base64url.
    """
    try:
        raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        key = _parse_key(json.loads(public_key))
        if len(raw) != 2 * SIGNATURE_HALF_BYTES or key is None:
            return False
        der = encode_dss_signature(
            int.from_bytes(raw[:SIGNATURE_HALF_BYTES], "big"),
            int.from_bytes(raw[SIGNATURE_HALF_BYTES:], "big"),
        )
        key.verify(der, message.encode(), ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def _parse_key(jwk: dict[str, Any]) -> EllipticCurvePublicKey | None:
    key = parse_jwk(jwk)
    if isinstance(key, EllipticCurvePublicKey) and supports_algorithm(key, "ES256"):
        return key
    return None
