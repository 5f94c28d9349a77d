"""did:web identifiers and documents of issuers (did:web method; W3C DID Core 1.0 with Multikeys). Not here: which issuer is trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit

Json = dict[str, Any]


def build_did(origin: str, slug: str) -> str:
    """The did:web of the issuer whose document is at `<origin>/i/<slug>/did.json`; a port becomes %3A."""
    return f"did:web:{quote(urlsplit(origin).netloc, safe='.-')}:i:{slug}"


def host_of(issuer: str) -> str:
    """The host (with port) that serves this DID."""
    return unquote(issuer.split(":")[2]) if issuer.startswith("did:web:") else ""


def build_document(issuer: str, keys: Sequence[tuple[str, str]]) -> Json:
    """The DID document; `keys` are (name such as `key-2026`, Multikey), all of them in assertionMethod."""
    return {
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"],
        "id": issuer,
        "verificationMethod": [
            {
                "id": f"{issuer}#{name}",
                "type": "Multikey",
                "controller": issuer,
                "publicKeyMultibase": key,
            }
            for name, key in keys
        ],
        "assertionMethod": [f"{issuer}#{name}" for name, _ in keys],
    }


def assertion_keys(found: Json | None, issuer: str) -> Mapping[str, str] | None:
    """The Multikeys by DID URL that may sign for this issuer, or None when the document is missing, malformed or somebody else's."""
    if found is None or found.get("id") != issuer:
        return None
    methods, asserting = found.get("verificationMethod"), found.get("assertionMethod")
    if not isinstance(methods, list) or not isinstance(asserting, list):
        return None
    listed = [
        cast("Json", method) for method in cast("list[Any]", methods) if isinstance(method, dict)
    ]
    return {
        str(method["id"]): str(method["publicKeyMultibase"])
        for method in listed
        if method.get("type") == "Multikey"
        and method.get("controller") == issuer
        and method.get("id") in asserting
        and method.get("publicKeyMultibase")
    }
