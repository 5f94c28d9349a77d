"""The issuers to trust, as the settings name them. Not here: how a token is verified (tokens)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from gateway.identity import development
from gateway.identity.fetching import fetched
from gateway.identity.keys import OwnKeys, PublishedKeys
from gateway.identity.tokens import Issuer

if TYPE_CHECKING:
    from gateway.identity.caller import Identity
    from gateway.settings import GatewaySettings

GrantsOf = Callable[[str, str, str], Awaitable["Identity"]]


def trusted(settings: GatewaySettings, grants_of: GrantsOf) -> list[Issuer]:
    """The development issuer where there is one, and every configured one."""
    issuers = [
        Issuer(
            name=configured.issuer,
            audience=configured.audience,
            keys=PublishedKeys(configured.issuer, configured.jwks_uri, fetched, time.monotonic),
            algorithms=configured.algorithms,
            grants_of=grants_of if configured.roles_from == "grants" else None,
        )
        for configured in settings.issuers
    ]
    key = development_key(settings)
    if key is not None:
        issuers.append(Issuer(name=development.ISSUER, audience=development.AUDIENCE, keys=OwnKeys({development.thumbprint(key): key}), algorithms=frozenset({"EdDSA"})))
    return issuers


def development_key(settings: GatewaySettings) -> Ed25519PublicKey | None:
    """The public key of the development issuer; a private key in PEM will do."""
    pem = settings.development_key.get_secret_value().encode()
    if not pem:
        return None
    key = load_pem_private_key(pem, password=None) if b"PRIVATE" in pem else load_pem_public_key(pem)
    key = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    if not isinstance(key, Ed25519PublicKey):
        raise TypeError("GATEWAY_DEVELOPMENT_KEY: an Ed25519 key in PEM is needed")
    return key
