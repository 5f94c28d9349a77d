"""The issuers to trust, as the settings name them. Not here: how a token is verified (tokens)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from gateway.access.builtin_issuer import (
    BUILTIN_ISSUER,
    HOLDER_AUDIENCE,
    HOLDER_ISSUER,
    BuiltInIssuer,
    load_private_key,
    load_public_key,
)
from gateway.authn import dev_issuer
from gateway.authn.fetch import fetch_json
from gateway.authn.keys import JwksKeys, StaticKeys
from gateway.authn.tokens import TrustedIssuer

if TYPE_CHECKING:
    from gateway.access.identity import Identity
    from gateway.settings import GatewaySettings

ResolveIdentity = Callable[[str, str, str], Awaitable["Identity"]]


def build_trusted_issuers(
    settings: GatewaySettings,
    builtin_issuer: BuiltInIssuer | None,
    resolve_identity: ResolveIdentity,
) -> list[TrustedIssuer]:
    """The own and the development issuer where there are any, and every configured one."""
    issuers = [
        TrustedIssuer(
            name=configured.issuer,
            audience=configured.audience,
            key_source=JwksKeys(configured.issuer, configured.jwks_uri, fetch_json, time.monotonic),
            algorithms=configured.algorithms,
            resolve_identity=resolve_identity if configured.roles_from == "grants" else None,
        )
        for configured in settings.issuers
    ]
    key = load_development_key(settings)
    if key is not None:
        issuers.append(
            TrustedIssuer(
                name=dev_issuer.ISSUER,
                audience=dev_issuer.AUDIENCE,
                key_source=StaticKeys({dev_issuer.thumbprint(key): key}),
                algorithms=frozenset({"EdDSA"}),
            )
        )
    if builtin_issuer is not None:
        for one, kept_as in (
            (builtin_issuer, BUILTIN_ISSUER),
            (build_holder_issuer(settings, builtin_issuer), HOLDER_ISSUER),
        ):
            keys = StaticKeys(one.public_keys)
            issuers.append(
                TrustedIssuer(
                    name=one.name,
                    audience=one.audience,
                    key_source=keys,
                    algorithms=frozenset({"EdDSA"}),
                    resolve_identity=_with_issuer_name(kept_as, resolve_identity),
                )
            )
    return issuers


def build_builtin_issuer(settings: GatewaySettings) -> BuiltInIssuer | None:
    """The own issuer; None where it has no key."""
    pem = settings.issuer_key.get_secret_value()
    if not pem:
        return None
    others = {
        "GATEWAY_ISSUER_NEXT_KEY": settings.issuer_next_key,
        "GATEWAY_ISSUER_PREVIOUS_KEY": settings.issuer_previous_key,
    }
    return BuiltInIssuer(
        name=settings.issuer_origin,
        key=load_private_key("GATEWAY_ISSUER_KEY", pem),
        other_keys=[
            load_public_key(name, secret.get_secret_value())
            for name, secret in others.items()
            if secret.get_secret_value()
        ],
    )


def build_holder_issuer(settings: GatewaySettings, builtin_issuer: BuiltInIssuer) -> BuiltInIssuer:
    """The own issuer as the certificate host knows it."""
    return BuiltInIssuer(
        name=settings.public_origin,
        audience=HOLDER_AUDIENCE,
        key=builtin_issuer.key,
        other_keys=builtin_issuer.other_keys,
    )


def _with_issuer_name(name: str, resolve_identity: ResolveIdentity) -> ResolveIdentity:
    """Our own people are kept under one name, whatever the issuer's address is now."""

    async def of_own(_: str, subject: str, chosen_grant: str) -> Identity:
        return await resolve_identity(name, subject, chosen_grant)

    return of_own


def load_development_key(settings: GatewaySettings) -> Ed25519PublicKey | None:
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
