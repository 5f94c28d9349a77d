"""What the tests of the pure parts start from: an issuer with two keys, a certificate of it, its two lists."""

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
from services.certification.verifications.rules import Status, StoredCertificate, TrustedIssuer

Json = dict[str, Any]
ORIGIN = "https://sertifikat.example"
NOW = datetime(2026, 12, 1, 3, tzinfo=UTC)
DAY = date(2026, 11, 24)
REVOCATION, SUSPENSION = "r7Qe", "s9Xk"

CERTIFIED = document.CertificateContent(
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
    revocation=document.StatusSlot(list_id=REVOCATION, index=4711),
    suspension=document.StatusSlot(list_id=SUSPENSION, index=815),
)


@dataclass
class Issuer:
    """An issuer that can sign."""

    slug: str = "konstruksi-nusantara"
    keys: dict[str, Ed25519PrivateKey] = field(
        default_factory=lambda: {
            "key-2026": Ed25519PrivateKey.generate(),
            "status-2026": Ed25519PrivateKey.generate(),
        }
    )

    @property
    def did(self) -> str:
        return did.build_did(ORIGIN, self.slug)

    def document(self) -> Json:
        return did.build_document(
            self.did,
            [
                (name, multibase.encode_multikey(key.public_key()))
                for name, key in self.keys.items()
            ],
        )

    def trusted(self, *, ours: bool = False) -> TrustedIssuer:
        licence = Licence(
            number="BNSP-LSP-1",
            valid_from=date(2025, 1, 1),
            valid_until=date(2028, 12, 31),
            scheme_refs=frozenset({CERTIFIED.scheme_ref}),
        )
        return TrustedIssuer(
            did=self.did, document=self.document(), licences=(licence,), is_ours=ours
        )

    def sign(
        self,
        unsigned: Json,
        key: str = "key-2026",
        *,
        method: str = "",
        created: str = "2026-11-23T17:00:00Z",
    ) -> Json:
        configuration = proof.build_configuration(unsigned, created, method or f"{self.did}#{key}")
        return proof.attach_proof(
            unsigned,
            configuration,
            self.keys[key].sign(proof.build_signing_input(unsigned, configuration)),
        )

    def certificate(self, **changed: Any) -> Json:
        return self.sign(document.build_certificate(replace(CERTIFIED, issuer=self.did, **changed)))

    def status_list(
        self,
        list_id: str,
        purpose: str,
        raised: tuple[int, ...] = (),
        *,
        tick: datetime = NOW - timedelta(minutes=3),
        key: str = "status-2026",
        **changed: Any,
    ) -> Json:
        given: dict[str, Any] = {
            "issuer": self.did,
            "encoded": bits.encode(raised),
            "valid_until": tick + timedelta(hours=24),
        } | changed
        return self.sign(
            document.build_status_list(
                url=document.list_url(ORIGIN, list_id), purpose=purpose, valid_from=tick, **given
            ),
            key,
        )

    def lists(
        self, revoked: tuple[int, ...] = (), suspended: tuple[int, ...] = ()
    ) -> dict[str, FetchedList]:
        return {
            document.list_url(ORIGIN, REVOCATION): FetchedList(
                document=self.status_list(REVOCATION, "revocation", revoked)
            ),
            document.list_url(ORIGIN, SUSPENSION): FetchedList(
                document=self.status_list(SUSPENSION, "suspension", suspended)
            ),
        }


def stored(credential: Mapping[str, Any], status: Status = Status.VALID) -> StoredCertificate:
    """Our record of this credential."""
    return StoredCertificate(digest=proof.digest(dict(credential)), status=status)
