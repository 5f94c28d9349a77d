"""Proofs: the published vector byte for byte, and the digest."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.certification.credentials import multibase, proof
from tests.certification.credentials.factories import Issuer

# W3C Data Integrity EdDSA Cryptosuites v1.0, appendix A, representation of eddsa-jcs-2022
PUBLIC = "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"
PRIVATE = "z3u2en7t5LR2WtQH5PfFqMqwVHBeXouLzo6haApm8XHqvjxq"
METHOD = f"did:key:{PUBLIC}#{PUBLIC}"
CREATED = "2023-02-24T23:36:38Z"
DOCUMENT = {
    "@context": [
        "https://www.w3.org/ns/credentials/v2",
        "https://www.w3.org/ns/credentials/examples/v2",
    ],
    "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
    "type": ["VerifiableCredential", "AlumniCredential"],
    "name": "Alumni Credential",
    "description": "A minimum viable example of an Alumni Credential.",
    "issuer": "https://vc.example/issuers/5678",
    "validFrom": "2023-01-01T00:00:00Z",
    "credentialSubject": {"id": "did:example:abcdefgh", "alumniOf": "The School of Examples"},
}
HASHES = (
    "66ab154f5c2890a140cb8388a22a160454f80575f6eae09e5a097cabe539a1db"
    "59b7cb6251b8991add1ce0bc83107e3db9dbbab5bd2c28f687db1a03abc92f19"
)
SIGNATURE = (
    "407cd12654b33d718ecbb99179a1506daaa849450bf3fc523cce3e1c96f8b803"
    "51da3f253d725c6f00b07c9e5448d50b3ef78012b9ab54255116d069c6dd2808"
)
PROOF_VALUE = (
    "z2HnFSSPPBzR36zdDgK8PbEHeXbR56YF24jwMpt3R1eHXQzJDMWS93FCzpvJpwTWd3GAVFuUfjoJdcnTMuVor51aX"
)


@pytest.mark.scenario("C1/vector")
def test_the_published_vector_is_reproduced_byte_for_byte() -> None:
    key = Ed25519PrivateKey.from_private_bytes(multibase.decode_base58(PRIVATE)[2:])
    configuration = proof.build_configuration(DOCUMENT, CREATED, METHOD)
    message = proof.build_signing_input(DOCUMENT, configuration)
    assert multibase.encode_multikey(key.public_key()) == PUBLIC
    assert message.hex() == HASHES
    assert key.sign(message).hex() == SIGNATURE
    secured = proof.attach_proof(DOCUMENT, configuration, key.sign(message))
    assert secured["proof"][0]["proofValue"] == PROOF_VALUE
    assert proof.is_valid(secured, secured["proof"][0], PUBLIC)


def test_the_same_content_signed_twice_gives_the_same_bytes() -> None:
    """Signing can therefore be resumed after a kill."""
    issuer = Issuer()
    assert issuer.certificate() == issuer.certificate()


def test_a_digest_does_not_change_when_a_second_proof_is_stripped() -> None:
    credential = Issuer().certificate()
    second_proof = {"type": "DataIntegrityProof"}
    with_second_proof = credential | {"proof": [*credential["proof"], second_proof]}
    assert proof.digest(credential) == proof.digest(with_second_proof)
