"""The built-in issuer: its keys, the tokens that it signs, its discovery document.

Not here: who gets a token (sign_ins, sessions, clients).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chassis import keys
from chassis.ids import new_id
from gateway.access.identity import API_AUDIENCE
from gateway.access.jwk import public_jwk, thumbprint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

ACCESS_TOKEN_SECONDS = 300
TOKEN_PATH = "/v1/oauth/token"  # noqa: S105 - a path
REVOCATION_PATH = "/v1/oauth/revoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltInIssuer:
    """The issuer of a small installation; it signs with `key`.

    `other_keys` are the previous and the next key. They are published and accepted, so that the
    replicas can change keys one by one.
    """

    name: str
    audience: str = API_AUDIENCE
    key: Ed25519PrivateKey
    other_keys: Sequence[Ed25519PublicKey] = ()

    @property
    def public_keys(self) -> dict[str, Ed25519PublicKey]:
        """Return all accepted keys by id."""
        return {thumbprint(key): key for key in (self.key.public_key(), *self.other_keys)}

    @property
    def jwks(self) -> list[dict[str, Any]]:
        """Return all keys as a JWKS publishes them."""
        return [public_jwk(key) for key in self.public_keys.values()]

    def issue_token(
        self,
        subject: str,
        now: datetime,
        lifetime_seconds: int = ACCESS_TOKEN_SECONDS,
        **extra_claims: Any,
    ) -> str:
        """Return an access token (RFC 9068)."""
        issued = now.timestamp()
        content = {
            "iss": self.name,
            "aud": self.audience,
            "sub": subject,
            "iat": issued,
            "exp": issued + lifetime_seconds,
            "jti": new_id(),
            **extra_claims,
        }
        return jwt.encode(
            content,
            self.key,
            algorithm="EdDSA",
            headers={"kid": thumbprint(self.key.public_key()), "typ": "at+jwt"},
        )

    def read_token(self, token: str) -> Mapping[str, Any] | None:
        """Return the claims of a token that we issued, even if expired; None for any other."""
        try:
            key = self.public_keys[jwt.get_unverified_header(token)["kid"]]
            return jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                audience=self.audience,
                issuer=self.name,
                options={"verify_exp": False, "verify_iat": False},
            )
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, RecursionError):
            return None

    def next_refresh_secret(self, refresh_secret: str) -> str:
        """Return the successor of this refresh secret.

        It is derived from the secret, so that a lost response can be repeated.
        """
        return hmac.new(
            hashlib.sha256(self.key.private_bytes_raw()).digest(),
            refresh_secret.encode(),
            hashlib.sha256,
        ).hexdigest()

    def discovery_document(self, origin: str) -> dict[str, Any]:
        """Return the discovery document (RFC 8414, OpenID Connect Discovery 1.0) of this origin.

        Every host that has the endpoints names itself: a client may reach only one of them.
        """
        return {
            "issuer": origin,
            "jwks_uri": f"{origin}/.well-known/jwks.json",
            "token_endpoint": origin + TOKEN_PATH,
            "revocation_endpoint": origin + REVOCATION_PATH,
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "token_endpoint_auth_methods_supported": [
                "none",
                "client_secret_basic",
                "client_secret_post",
                "private_key_jwt",
            ],
            "token_endpoint_auth_signing_alg_values_supported": ["EdDSA", "ES256", "RS256"],
            "code_challenge_methods_supported": ["S256"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["EdDSA"],
        }


def load_private_key(setting: str, pem: str) -> Ed25519PrivateKey:
    """Return the Ed25519 key in this PEM. Raises TypeError that names the setting."""
    try:
        return keys.load_private_key(pem)
    except keys.NotEd25519 as error:
        raise TypeError(f"{setting}: {error}") from error


def load_public_key(setting: str, pem: str) -> Ed25519PublicKey:
    """Return the Ed25519 public key from a private or public key in PEM.

    Raises TypeError that names the setting.
    """
    if "PRIVATE" in pem:
        return load_private_key(setting, pem).public_key()
    try:
        return keys.load_public_key(pem)
    except keys.NotEd25519 as error:
        raise TypeError(f"{setting}: {error}") from error
