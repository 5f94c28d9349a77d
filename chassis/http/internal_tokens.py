"""Internal tokens between our processes, signed and verified. Not here: which role may do what (the gateway)."""

from __future__ import annotations

import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from chassis.caller import CLAIMS, Caller, CallingService
from chassis.errors import Unauthenticated
from chassis.ids import new_id

TOKEN_SECONDS = 60


REMEMBERED_TOKENS = 10_000


class InternalTokenSigner:
    """Makes internal tokens with the key of one issuer (a service or the gateway)."""

    def __init__(self, issuer: str, private_key_pem: str) -> None:
        key = load_pem_private_key(private_key_pem.encode(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError("an Ed25519 private key is needed")
        self.issuer, self._key = issuer, key

    def for_service(
        self, audience: str, method: str, path: str, purpose: str, on_behalf_of: str = ""
    ) -> str:
        """A token for one internal query: binds issuer, audience, method, path, purpose and the subject on whose behalf it is asked."""
        return self._sign(
            {
                "aud": audience,
                "sub": f"service:{self.issuer}",
                "method": method,
                "path": path,
                "purpose": purpose,
                "obo": on_behalf_of,
            }
        )

    def for_caller(self, audience: str, caller: Caller) -> str:
        """A token that tells a service who asks: binds issuer, audience, subject, permissions and claims."""
        claims = {name: sorted(values) for name, values in caller.claims.items()}
        return self._sign(
            {
                "aud": audience,
                "sub": caller.subject,
                "role": caller.role,
                "permissions": sorted(caller.permissions),
                "claims": claims,
                "obo": caller.on_behalf_of,
            }
        )

    def _sign(self, content: dict[str, Any]) -> str:
        now = int(time.time())
        return jwt.encode(
            {"iss": self.issuer, "iat": now, "exp": now + TOKEN_SECONDS, "jti": new_id()} | content,
            self._key,
            algorithm="EdDSA",
        )


class InternalTokenVerifier:
    """Verifies internal tokens for one audience. Fails closed."""

    def __init__(self, audience: str, trusted_keys: Path) -> None:
        self.audience = audience
        self._keys: dict[str, Ed25519PublicKey] = {}
        for file in sorted(trusted_keys.glob("*.pem")):
            key = load_pem_public_key(file.read_bytes())
            if not isinstance(key, Ed25519PublicKey):
                raise TypeError(f"{file.name}: an Ed25519 public key is needed")
            self._keys[file.stem] = key
        self._callers: OrderedDict[str, tuple[float, Caller]] = OrderedDict()

    def caller(self, token: str) -> Caller:
        """The caller that the gateway vouches for; Unauthenticated otherwise. A verified token is remembered until it expires."""
        known = self._callers.get(token)
        if known and known[0] > time.time():
            return known[1]
        content = self._verified(token)
        if content["iss"] != "gateway" or "permissions" not in content:
            raise Unauthenticated
        caller = Caller(
            subject=content["sub"],
            role=content.get("role", ""),
            permissions=frozenset(content["permissions"]),
            claims={
                name: frozenset(values)
                for name, values in content.get("claims", {}).items()
                if name in CLAIMS
            },
            on_behalf_of=content.get("obo", ""),
        )
        self._callers[token] = (content["exp"], caller)
        if len(self._callers) > REMEMBERED_TOKENS:
            self._callers.popitem(last=False)
        return caller

    def calling_service(self, token: str, method: str, path: str) -> CallingService:
        """The service that asks this very method and path; Unauthenticated otherwise."""
        content = self._verified(token)
        if (
            content["iss"] == "gateway"
            or content.get("method") != method
            or content.get("path") != path
            or content["sub"] != f"service:{content['iss']}"
        ):
            raise Unauthenticated
        return CallingService(
            service=content["iss"],
            purpose=str(content.get("purpose", "")),
            on_behalf_of=str(content.get("obo", "")),
        )

    def _verified(self, token: str) -> dict[str, Any]:
        try:
            issuer = jwt.decode(token, options={"verify_signature": False}).get("iss", "")
            key = self._keys[issuer]
            return jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                audience=self.audience,
                issuer=issuer,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.InvalidTokenError, KeyError, TypeError):
            raise Unauthenticated from None
