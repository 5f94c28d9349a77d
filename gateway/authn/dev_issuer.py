"""The development issuer: tokens for any role on a developer's machine.

Never for production.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import jwt

from chassis.caller import CLAIMS
from chassis.ids import named_id, new_id
from chassis.keys import NotEd25519, load_private_key
from gateway.access.identity import API_AUDIENCE
from gateway.access.jwk import thumbprint
from gateway.access.permissions import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ISSUER = "urn:bina:development"
AUDIENCE = API_AUDIENCE


class TokenNotIssued(ValueError):
    """The role or claim does not exist, or the environment is production; the text says which."""


def issue_development_token(
    private_key_pem: str,
    role: str,
    claims: Mapping[str, str | Iterable[str]],
    subject: str | None = None,
    hours: float = 12,
) -> str:
    """Return a signed token for this role and these claims. Raises TokenNotIssued."""
    if os.environ.get("BINA_ENVIRONMENT") == "production":
        raise TokenNotIssued("the development issuer issues no tokens in production")
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
    try:
        key = load_private_key(private_key_pem)
    except NotEd25519 as error:
        raise TokenNotIssued("the key of the development issuer must be Ed25519") from error
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
    header = {"kid": thumbprint(key.public_key())}
    return jwt.encode(content, key, algorithm="EdDSA", headers=header)
