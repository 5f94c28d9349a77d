"""A software security key for passkeys (WebAuthn, attestation "none", ES256)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256


def encoded(raw: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class SecurityKey:
    """A key for one site: `origin` is the browser's, `count` the key's signature counter."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.count = 0
        self.id = secrets.token_bytes(16)
        self._key = generate_private_key(SECP256R1())

    def make(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to the options of a registration."""
        numbers = self._key.public_key().public_numbers()
        public = cbor2.dumps(
            {
                1: 2,
                3: -7,
                -1: 1,
                -2: numbers.x.to_bytes(32, "big"),
                -3: numbers.y.to_bytes(32, "big"),
            }
        )
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        data = self._data(options["rp"]["id"], 0x41) + attested
        answer = {
            "attestationObject": encoded(
                cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
            ),
            "clientDataJSON": encoded(self._client("create", options)),
        }
        return self._credential(answer)

    def prove(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to the options of a sign-in."""
        self.count += 1
        data = self._data(options["rpId"], 0x01)
        client = self._client("get", options)
        signature = self._key.sign(data + hashlib.sha256(client).digest(), ECDSA(SHA256()))
        return self._credential(
            {
                "authenticatorData": encoded(data),
                "clientDataJSON": encoded(client),
                "signature": encoded(signature),
            }
        )

    def _data(self, host: str, flags: int) -> bytes:
        return (
            hashlib.sha256(host.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")
        )

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        return json.dumps(
            {
                "type": f"webauthn.{kind}",
                "challenge": options["challenge"],
                "origin": self.origin,
                "crossOrigin": False,
            }
        ).encode()

    def _credential(self, answer: dict[str, str]) -> dict[str, Any]:
        return {
            "id": encoded(self.id),
            "rawId": encoded(self.id),
            "type": "public-key",
            "response": answer,
            "clientExtensionResults": {},
        }


class RegisteredPC:
    """The key of a browser that is not extractable (WebCrypto, P-256)."""

    def __init__(self) -> None:
        self._key = generate_private_key(SECP256R1())
        numbers = self._key.public_key().public_numbers()
        self.jwk = {
            "kty": "EC",
            "crv": "P-256",
            "x": encoded(numbers.x.to_bytes(32, "big")),
            "y": encoded(numbers.y.to_bytes(32, "big")),
        }

    def sign(self, challenge: str) -> str:
        """Return the signature in the format of WebCrypto: r and s, 32 bytes each."""
        r, s = decode_dss_signature(self._key.sign(challenge.encode(), ECDSA(SHA256())))
        return encoded(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
