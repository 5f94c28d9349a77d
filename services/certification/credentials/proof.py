"""Data Integrity proofs by eddsa-jcs-2022 (W3C Data Integrity EdDSA Cryptosuites v1.0, 3.3).

Not here: which key may sign what.
"""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature

from services.certification.credentials import multibase

CRYPTOSUITE = "eddsa-jcs-2022"
Json = dict[str, Any]


def without_proof(document: Json) -> Json:
    """Return the document without its proofs, which is what every proof of a set signs."""
    return {name: value for name, value in document.items() if name != "proof"}


def build_configuration(document: Json, created: str, method: str) -> Json:
    """Return the proof without its value. `created` is an XSD dateTime, `method` a DID URL."""
    return {
        "type": "DataIntegrityProof",
        "cryptosuite": CRYPTOSUITE,
        "created": created,
        "verificationMethod": method,
        "proofPurpose": "assertionMethod",
        "@context": document["@context"],
    }


def build_signing_input(document: Json, configuration: Json) -> bytes:
    """Return the 64 bytes to sign: SHA-256 of the proof configuration, then of the document.

    Both are hashed in their canonical form (RFC 8785).
    """
    configuration_hash = hashlib.sha256(rfc8785.dumps(configuration)).digest()
    document_hash = hashlib.sha256(rfc8785.dumps(without_proof(document))).digest()
    return configuration_hash + document_hash


def attach_proof(document: Json, configuration: Json, signature: bytes) -> Json:
    """Return the document with its one proof; `proof` is always an array."""
    proof = configuration | {"proofValue": multibase.encode_base58(signature)}
    return without_proof(document) | {"proof": [proof]}


def is_valid(document: Json, proof: Json, public_key: str) -> bool:
    """Return whether the key (a Multikey) made this proof of the document.

    Raises NotMultibase when the key is no Multikey.
    """
    key = multibase.decode_multikey(public_key)
    context = document.get("@context")
    if not isinstance(context, list) or context != proof.get("@context"):
        return False
    configuration = {name: value for name, value in proof.items() if name != "proofValue"}
    try:
        signature = multibase.decode_base58(proof["proofValue"])
        key.verify(signature, build_signing_input(document, configuration))
    except (InvalidSignature, multibase.NotMultibase):
        return False
    return True


def digest(document: Json) -> str:
    """Return the SHA-256 (hex) of the canonical document without its proofs.

    A second proof can therefore be stripped without a change of the digest.
    """
    return hashlib.sha256(rfc8785.dumps(without_proof(document))).hexdigest()
