"""Builders of signed documents without a service.

They make an issuer with two keys, a certificate of it, and its two lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.certification.certificates.rules import end_of_validity, start_of_validity
from services.certification.credentials import did, document, multibase, proof
from services.certification.lsps.rules import Licence
from services.certification.statuslists import bits
from services.certification.statuslists.rules import FetchedList
from services.certification.verifications.rules import (
    StoredCertificate,
    TrustedIssuer,
    VerificationStatus,
)

Json = dict[str, Any]
ORIGIN = "https://sertifikat.example"
NOW = datetime(2026, 12, 1, 3, tzinfo=UTC)
TICK = NOW - timedelta(minutes=3)
DAY = date(2026, 11, 24)
REVOCATION_LIST = "r7Qe"
SUSPENSION_LIST = "s9Xk"
REVOCATION_URL = document.list_url(ORIGIN, REVOCATION_LIST)
SUSPENSION_URL = document.list_url(ORIGIN, SUSPENSION_LIST)
REVOCATION_INDEX = 4711
SUSPENSION_INDEX = 815

CONTENT = document.CertificateContent(
    id="0f0e7e6a-58c4-4d2e-9c3b-6a1f0f5f2d11",
    subject_id="c1b7f0de-3a7d-4a43-8f52-1d4f0c1b2a33",
    origin=ORIGIN,
    issuer=did.build_did(ORIGIN, "konstruksi-nusantara"),
    issuer_name="LSP Konstruksi Nusantara",
    name="Muhammad Syahrul Ramadhan",
    scheme_ref="instalasi-listrik-sederhana",
    edition=1,
    scheme_title="Pemasangan Instalasi Listrik Bangunan Sederhana",
    description="Memasang dan memeriksa instalasi listrik satu fasa.",
    criteria="Dinyatakan kompeten pada semua unit oleh asesor dan pleno.",
    units=(
        document.Unit(
            code="F.432111.001.02",
            title="Memasang instalasi penerangan",
            framework="SKKNI 2019-103",
        ),
        document.Unit(
            code="F.432111.002.02", title="Mengukur tahanan isolasi", framework="SKKNI 2019-103"
        ),
    ),
    valid_from=start_of_validity(DAY),
    valid_until=end_of_validity(DAY, 36),
    revocation=document.StatusSlot(list_id=REVOCATION_LIST, index=REVOCATION_INDEX),
    suspension=document.StatusSlot(list_id=SUSPENSION_LIST, index=SUSPENSION_INDEX),
)
LICENCE = Licence(
    number="BNSP-LSP-1",
    valid_from=date(2025, 1, 1),
    valid_until=date(2028, 12, 31),
    scheme_refs=frozenset({CONTENT.scheme_ref}),
)


def _new_keys() -> dict[str, Ed25519PrivateKey]:
    return {name: Ed25519PrivateKey.generate() for name in ("key-2026", "status-2026")}


@dataclass
class Issuer:
    """An issuer that can sign."""

    slug: str = "konstruksi-nusantara"
    keys: dict[str, Ed25519PrivateKey] = field(default_factory=_new_keys)

    @property
    def did(self) -> str:
        return did.build_did(ORIGIN, self.slug)

    def did_document(self) -> Json:
        """Return the DID document."""
        keys = [
            (name, multibase.encode_multikey(key.public_key())) for name, key in self.keys.items()
        ]
        return did.build_document(self.did, keys)

    def trusted(self, *, is_ours: bool = False) -> TrustedIssuer:
        """Return the issuer as it is on the trust list."""
        return TrustedIssuer(did=self.did, document=self.did_document(), is_ours=is_ours)

    def sign(
        self,
        unsigned: Json,
        key: str = "key-2026",
        *,
        method: str = "",
        created: str = "2026-11-23T17:00:00Z",
    ) -> Json:
        """Return the document signed with this key."""
        configuration = proof.build_configuration(unsigned, created, method or f"{self.did}#{key}")
        message = proof.build_signing_input(unsigned, configuration)
        return proof.attach_proof(unsigned, configuration, self.keys[key].sign(message))

    def certificate(self, **changed: Any) -> Json:
        """Return a signed certificate."""
        content = replace(CONTENT, issuer=self.did, **changed)
        return self.sign(document.build_certificate(content))

    def status_list(
        self,
        list_id: str,
        purpose: str,
        raised: tuple[int, ...] = (),
        *,
        tick: datetime = TICK,
        key: str = "status-2026",
        **changed: Any,
    ) -> Json:
        """Return a signed status list in which these bits are 1."""
        values: dict[str, Any] = {
            "issuer": self.did,
            "encoded": bits.encode(raised),
            "valid_until": tick + timedelta(hours=24),
        }
        unsigned = document.build_status_list(
            url=document.list_url(ORIGIN, list_id),
            purpose=purpose,
            valid_from=tick,
            **(values | changed),
        )
        return self.sign(unsigned, key)

    def revocation_list(self, raised: tuple[int, ...] = (), **changed: Any) -> Json:
        """Return the signed revocation list."""
        return self.status_list(REVOCATION_LIST, "revocation", raised, **changed)

    def suspension_list(self, raised: tuple[int, ...] = (), **changed: Any) -> Json:
        """Return the signed suspension list."""
        return self.status_list(SUSPENSION_LIST, "suspension", raised, **changed)

    def lists(
        self, revoked: tuple[int, ...] = (), suspended: tuple[int, ...] = (), **changed: Any
    ) -> dict[str, FetchedList]:
        """Return both lists as fetched, by URL."""
        return {
            REVOCATION_URL: FetchedList(document=self.revocation_list(revoked, **changed)),
            SUSPENSION_URL: FetchedList(document=self.suspension_list(suspended, **changed)),
        }


def stored(
    credential: Mapping[str, Any],
    status: VerificationStatus = VerificationStatus.VALID,
    licence: Licence | None = LICENCE,
    key_name: str = "key-2026",
) -> StoredCertificate:
    """Return our record of this credential."""
    return StoredCertificate(
        digest=proof.digest(dict(credential)), key_name=key_name, licence=licence, status=status
    )


def without(document_: Mapping[str, Any], member: str) -> Json:
    """Return the document without one member."""
    return {name: value for name, value in document_.items() if name != member}
