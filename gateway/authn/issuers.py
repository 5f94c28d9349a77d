"""Builds the trusted issuers from the settings.

Not here: how a token is verified (tokens).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.access.builtin_issuer import BuiltInIssuer, load_private_key, load_public_key
from gateway.access.identity import BUILTIN_ISSUER, HOLDER_AUDIENCE, HOLDER_ISSUER
from gateway.access.jwk import thumbprint
from gateway.authn import dev_issuer
from gateway.authn.fetch import fetch_json
from gateway.authn.keys import JwksKeys, StaticKeys
from gateway.authn.tokens import TrustedIssuer

if TYPE_CHECKING:
    from gateway.access.identity import Identity
    from gateway.settings import GatewaySettings, IssuerSettings

ResolveIdentity = Callable[[str, str, str], Awaitable["Identity"]]
EDDSA_ONLY = frozenset({"EdDSA"})


def build_trusted_issuers(
    settings: GatewaySettings,
    builtin_issuer: BuiltInIssuer | None,
    resolve_identity: ResolveIdentity,
) -> list[TrustedIssuer]:
    """Return every configured issuer, and the development and built-in ones if they have keys."""
    issuers = [_trust_configured(configured, resolve_identity) for configured in settings.issuers]
    development_key = load_development_key(settings)
    if development_key is not None:
        issuers.append(_trust_development(development_key))
    if builtin_issuer is not None:
        holder_issuer = build_holder_issuer(settings, builtin_issuer)
        issuers.append(_trust_builtin(builtin_issuer, BUILTIN_ISSUER, resolve_identity))
        issuers.append(_trust_builtin(holder_issuer, HOLDER_ISSUER, resolve_identity))
    return issuers


def build_builtin_issuer(settings: GatewaySettings) -> BuiltInIssuer | None:
    """Return the built-in issuer; None if it has no key."""
    pem = settings.issuer_key.get_secret_value()
    if not pem:
        return None
    other_secrets = {
        "GATEWAY_ISSUER_NEXT_KEY": settings.issuer_next_key,
        "GATEWAY_ISSUER_PREVIOUS_KEY": settings.issuer_previous_key,
    }
    other_keys = [
        load_public_key(name, secret.get_secret_value())
        for name, secret in other_secrets.items()
        if secret.get_secret_value()
    ]
    return BuiltInIssuer(
        name=settings.issuer_origin,
        key=load_private_key("GATEWAY_ISSUER_KEY", pem),
        other_keys=other_keys,
    )


def build_holder_issuer(settings: GatewaySettings, builtin_issuer: BuiltInIssuer) -> BuiltInIssuer:
    """Return the built-in issuer under its name on the certificate host (PUBLIC_ORIGIN)."""
    return BuiltInIssuer(
        name=settings.public_origin,
        audience=HOLDER_AUDIENCE,
        key=builtin_issuer.key,
        other_keys=builtin_issuer.other_keys,
    )


def load_development_key(settings: GatewaySettings) -> Ed25519PublicKey | None:
    """Return the public key of the development issuer, from a public or private key in PEM."""
    pem = settings.development_key.get_secret_value()
    return load_public_key("GATEWAY_DEVELOPMENT_KEY", pem) if pem else None


def _trust_configured(
    configured: IssuerSettings, resolve_identity: ResolveIdentity
) -> TrustedIssuer:
    uses_grants = configured.roles_from == "grants"
    return TrustedIssuer(
        name=configured.issuer,
        audience=configured.audience,
        key_source=JwksKeys(configured.issuer, configured.jwks_uri, fetch_json, time.monotonic),
        algorithms=configured.algorithms,
        resolve_identity=resolve_identity if uses_grants else None,
    )


def _trust_development(key: Ed25519PublicKey) -> TrustedIssuer:
    return TrustedIssuer(
        name=dev_issuer.ISSUER,
        audience=dev_issuer.AUDIENCE,
        key_source=StaticKeys({thumbprint(key): key}),
        algorithms=EDDSA_ONLY,
    )


def _trust_builtin(
    issuer: BuiltInIssuer, stored_name: str, resolve_identity: ResolveIdentity
) -> TrustedIssuer:
    """Return one of our own issuers; `stored_name` is the issuer of its users in the database."""

    async def resolve_own(_: str, subject: str, chosen_grant: str) -> Identity:
        return await resolve_identity(stored_name, subject, chosen_grant)

    return TrustedIssuer(
        name=issuer.name,
        audience=issuer.audience,
        key_source=StaticKeys(issuer.public_keys),
        algorithms=EDDSA_ONLY,
        resolve_identity=resolve_own,
    )
