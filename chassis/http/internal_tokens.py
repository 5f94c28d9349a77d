"""Internal tokens between our processes, signed and verified.

Not here: which role may do what (the gateway).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import jwt

from chassis.caller import CLAIMS, Caller, CallingService
from chassis.errors import Unauthenticated
from chassis.ids import new_id
from chassis.keys import load_private_key, load_public_key

TOKEN_SECONDS = 60
LEEWAY_SECONDS = 5  # between the clocks of two nodes
REMEMBERED_TOKENS = 10_000


class InternalTokenSigner:
    """Signs internal tokens with the key of one issuer (a service or the gateway)."""

    def __init__(self, issuer: str, private_key_pem: str) -> None:
        self.issuer = issuer
        self._key = load_private_key(private_key_pem)

    def for_service(
        self, audience: str, method: str, path: str, purpose: str, on_behalf_of: str = ""
    ) -> str:
        """Return a token for one internal query.

        It binds issuer, audience, method, path, purpose and the subject on whose behalf we ask.
        """
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
        """Return a token that names the caller to a service.

        It binds issuer, audience, subject, permissions and claims.
        """
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
    """Verifies internal tokens for one audience; fails closed."""

    def __init__(self, audience: str, trusted_keys: Path) -> None:
        self.audience = audience
        self._keys = {
            file.stem: load_public_key(file.read_bytes()) for file in trusted_keys.glob("*.pem")
        }
        self._callers: OrderedDict[str, tuple[float, Caller]] = OrderedDict()

    def caller(self, token: str) -> Caller:
        """Return the caller that a token of the gateway names. Raises Unauthenticated.

        A verified token is remembered until it expires.
        """
        expires_at, remembered = self._callers.get(token, (0.0, None))
        if remembered is not None and expires_at > time.time():
            return remembered
        content = self._verified(token)
        if content["iss"] != "gateway" or "permissions" not in content:
            raise Unauthenticated
        claims = content.get("claims", {})
        caller = Caller(
            subject=content["sub"],
            role=content.get("role", ""),
            permissions=frozenset(content["permissions"]),
            claims={name: frozenset(claims[name]) for name in CLAIMS & claims.keys()},
            on_behalf_of=content.get("obo", ""),
        )
        self._callers[token] = (content["exp"], caller)
        if len(self._callers) > REMEMBERED_TOKENS:
            self._callers.popitem(last=False)
        return caller

    def calling_service(self, token: str, method: str, path: str) -> CallingService:
        """Return the service whose token is for this method and path. Raises Unauthenticated."""
        content = self._verified(token)
        issuer = content["iss"]
        if issuer == "gateway" or content["sub"] != f"service:{issuer}":
            raise Unauthenticated
        if content.get("method") != method or content.get("path") != path:
            raise Unauthenticated
        return CallingService(
            service=issuer,
            purpose=str(content.get("purpose", "")),
            on_behalf_of=str(content.get("obo", "")),
        )

    def _verified(self, token: str) -> dict[str, Any]:
        """Return the content of a token. Raises Unauthenticated."""
        try:
            issuer = jwt.decode(token, options={"verify_signature": False}).get("iss", "")
            key = self._keys[issuer]
            content = jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                audience=self.audience,
                issuer=issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
            lifetime = content["exp"] - content["iat"]
        except (jwt.InvalidTokenError, KeyError, TypeError):
            raise Unauthenticated from None
        # The leeway is for `iat` and `nbf` only.
        if content["exp"] <= time.time() or not 0 <= lifetime <= TOKEN_SECONDS:
            raise Unauthenticated
        return content
