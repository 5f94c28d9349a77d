"""The issuers to trust, as the settings name them. Not here: how a token is verified (tokens)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from gateway.access.builtin_issuer import (
    HOLDERS,
    HOLDERS_AUDIENCE,
    OWN,
    OwnIssuer,
    private_key,
    public_key,
)
from gateway.authn import dev_issuer
from gateway.authn.fetch import fetched
from gateway.authn.keys import OwnKeys, PublishedKeys
from gateway.authn.tokens import Issuer

if TYPE_CHECKING:
    from gateway.access.identity import Identity
    from gateway.settings import GatewaySettings

GrantsOf = Callable[[str, str, str], Awaitable["Identity"]]


def trusted(settings: GatewaySettings, own: OwnIssuer | None, grants_of: GrantsOf) -> list[Issuer]:
    """The own and the development issuer where there are any, and every configured one."""
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
        issuers.append(
            Issuer(
                name=dev_issuer.ISSUER,
                audience=dev_issuer.AUDIENCE,
                keys=OwnKeys({dev_issuer.thumbprint(key): key}),
                algorithms=frozenset({"EdDSA"}),
            )
        )
    if own is not None:
        for one, kept_as in ((own, OWN), (holders(settings, own), HOLDERS)):
            keys = OwnKeys(one.public)
            issuers.append(
                Issuer(
                    name=one.name,
                    audience=one.audience,
                    keys=keys,
                    algorithms=frozenset({"EdDSA"}),
                    grants_of=_kept_as(kept_as, grants_of),
                )
            )
    return issuers


def own_issuer(settings: GatewaySettings) -> OwnIssuer | None:
    """The own issuer; None where it has no key."""
    pem = settings.issuer_key.get_secret_value()
    if not pem:
        return None
    others = {
        "GATEWAY_ISSUER_NEXT_KEY": settings.issuer_next_key,
        "GATEWAY_ISSUER_PREVIOUS_KEY": settings.issuer_previous_key,
    }
    return OwnIssuer(
        name=settings.issuer_origin,
        key=private_key("GATEWAY_ISSUER_KEY", pem),
        others=[
            public_key(name, secret.get_secret_value())
            for name, secret in others.items()
            if secret.get_secret_value()
        ],
    )


def holders(settings: GatewaySettings, own: OwnIssuer) -> OwnIssuer:
    """The own issuer as the certificate host knows it."""
    return OwnIssuer(
        name=settings.public_origin, audience=HOLDERS_AUDIENCE, key=own.key, others=own.others
    )


def _kept_as(name: str, grants_of: GrantsOf) -> GrantsOf:
    """Our own people are kept under one name, whatever the issuer's address is now."""

    async def of_own(_: str, subject: str, chosen_grant: str) -> Identity:
        return await grants_of(name, subject, chosen_grant)

    return of_own


def development_key(settings: GatewaySettings) -> Ed25519PublicKey | None:
    """The public key of the development issuer; a private key in PEM will do."""
    pem = settings.development_key.get_secret_value().encode()
    if not pem:
        return None
    key = (
        load_pem_private_key(pem, password=None) if b"PRIVATE" in pem else load_pem_public_key(pem)
    )
    key = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    if not isinstance(key, Ed25519PublicKey):
        raise TypeError("GATEWAY_DEVELOPMENT_KEY: an Ed25519 key in PEM is needed")
    return key
