"""Data Integrity proofs by eddsa-jcs-2022 (W3C Data Integrity EdDSA Cryptosuites v1.0, 3.3). Not here: which key may sign what."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature

from services.certification.credentials import multibase

CRYPTOSUITE = "eddsa-jcs-2022"
Json = dict[str, Any]


def without_proof(document: Json) -> Json:
    """The document without its proofs: what every member of a proof set signs."""
    return {name: value for name, value in document.items() if name != "proof"}


def build_configuration(document: Json, created: str, method: str) -> Json:
    """The proof that will be, without its value. `created` is an XSD dateTime, `method` a DID URL."""
    return {
        "type": "DataIntegrityProof",
        "cryptosuite": CRYPTOSUITE,
        "created": created,
        "verificationMethod": method,
        "proofPurpose": "assertionMethod",
        "@context": document["@context"],
    }


def build_signing_input(document: Json, configuration: Json) -> bytes:
    """The 64 bytes to be signed: SHA-256 of the canonical proof configuration, then of the canonical document."""
    return (
        hashlib.sha256(rfc8785.dumps(configuration)).digest()
        + hashlib.sha256(rfc8785.dumps(without_proof(document))).digest()
    )


def attach_proof(document: Json, configuration: Json, signature: bytes) -> Json:
    """The document with its one proof; `proof` is always an array."""
    return without_proof(document) | {
        "proof": [configuration | {"proofValue": multibase.encode_base58(signature)}]
    }


def is_valid(document: Json, proof: Json, public_key: str) -> bool:
    """Whether this member of the document's proofs was made by that Multikey. NotMultibase when the key is none."""
    key = multibase.decode_multikey(public_key)
    context, claimed = document.get("@context"), proof.get("@context")
    if not isinstance(context, list) or context != claimed:
        return False
    try:
        signature = multibase.decode_base58(proof["proofValue"])
        key.verify(
            signature,
            build_signing_input(
                document, {name: value for name, value in proof.items() if name != "proofValue"}
            ),
        )
    except (InvalidSignature, multibase.NotMultibase):
        return False
    return True


def digest(document: Json) -> str:
    """SHA-256 (hex) of the canonical document without proofs, so that a stripped second proof changes nothing."""
    return hashlib.sha256(rfc8785.dumps(without_proof(document))).hexdigest()
