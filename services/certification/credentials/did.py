"""did:web identifiers and DID documents of issuers (did:web; W3C DID Core 1.0, Multikeys).

Not here: which issuer is trusted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit

Json = dict[str, Any]


def build_did(origin: str, slug: str) -> str:
    """Return the did:web of the issuer with the document `<origin>/i/<slug>/did.json`.

    The colon before a port becomes %3A.
    """
    return f"did:web:{quote(urlsplit(origin).netloc, safe='.-')}:i:{slug}"


def host_of(issuer: str) -> str:
    """Return the host (with port) that serves this DID; "" when it is no did:web."""
    return unquote(issuer.split(":")[2]) if issuer.startswith("did:web:") else ""


def build_document(issuer: str, keys: Sequence[tuple[str, str]]) -> Json:
    """Return the DID document, with all keys in assertionMethod.

    `keys` are pairs of name (such as `key-2026`) and Multikey.
    """
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


def assertion_keys(document: Json | None, issuer: str) -> Mapping[str, str] | None:
    """Return the Multikeys by DID URL that may sign for this issuer.

    None when the document is missing, malformed or another issuer's.
    """
    if document is None or document.get("id") != issuer:
        return None
    methods = document.get("verificationMethod")
    asserting = document.get("assertionMethod")
    if not isinstance(methods, list) or not isinstance(asserting, list):
        return None
    asserting_ids = cast("list[object]", asserting)
    keys: dict[str, str] = {}
    for method in cast("list[object]", methods):
        if not isinstance(method, dict):
            continue
        described = cast("Json", method)
        if _may_assert(described, issuer, asserting_ids):
            keys[str(described["id"])] = str(described["publicKeyMultibase"])
    return keys


def _may_assert(method: Json, issuer: str, asserting_ids: list[object]) -> bool:
    return (
        method.get("type") == "Multikey"
        and method.get("controller") == issuer
        and method.get("id") in asserting_ids
        and bool(method.get("publicKeyMultibase"))
    )
