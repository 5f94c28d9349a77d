"""What happens: the evidence for a verification is gathered. Our own DIDs and lists come from our store, never over HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from services.certification.certificates import usecases as certificates
from services.certification.certificates.rules import (
    Certificate,
    CertificateState,
    CertificateUnknown,
)
from services.certification.credentials.document import list_url
from services.certification.lsps.rules import Lsp, build_did_document
from services.certification.statuslists.rules import FetchedList
from services.certification.transaction import Transaction
from services.certification.verifications import rules
from services.certification.verifications.rules import (
    Status,
    StoredCertificate,
    TrustedIssuer,
    VerificationResult,
)

_STATUS_BY_STATE = {
    CertificateState.ISSUED: Status.VALID,
    CertificateState.SUSPENDED: Status.SUSPENDED,
    CertificateState.REVOKED: Status.REVOKED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedCertificate:
    """What is said of the certificate of a check address."""

    certificate: Certificate
    result: VerificationResult


async def verify_document(document: dict[str, Any], tx: Transaction) -> VerificationResult:
    """What can be said of an uploaded document now. Nobody's upload changes anything."""
    issuer_did, id_, urls = rules.read_claims(document)
    lsp = await tx.lsps.find_by_did(issuer_did) if issuer_did else None
    if lsp is None:
        return rules.verify(document, None, {}, None, tx.now)
    certificate = await tx.certificates.seek(id_.removeprefix("urn:uuid:"), scoped=False)
    return rules.verify(
        document,
        _build_issuer(lsp),
        await _read_lists(lsp, urls, tx),
        _build_stored(certificate),
        tx.now,
    )


async def check_token(token: str, tx: Transaction) -> CheckedCertificate:
    """What is said of the certificate whose paper carries this code; CertificateUnknown for any other code."""
    certificate = await tx.certificates.find_by_token(token)
    if certificate is None or certificate.sealed_credential is None:
        raise CertificateUnknown
    return CheckedCertificate(
        certificate=certificate,
        result=await verify_document(certificates.decrypt_credential(certificate, tx), tx),
    )


def _build_issuer(lsp: Lsp) -> TrustedIssuer:
    return TrustedIssuer(
        did=lsp.did, document=build_did_document(lsp), licences=lsp.licences, is_ours=True
    )


def _build_stored(certificate: Certificate | None) -> StoredCertificate | None:
    if certificate is None or certificate.digest is None:
        return None
    return StoredCertificate(digest=certificate.digest, status=_STATUS_BY_STATE[certificate.state])


async def _read_lists(lsp: Lsp, urls: tuple[str, ...], tx: Transaction) -> dict[str, FetchedList]:
    found = await tx.publications.many((url.rpartition("/")[2] for url in urls), scoped=False)
    return {
        list_url(lsp.origin, list_id): FetchedList(document=json.loads(publication.content))
        for list_id, publication in found.items()
    }
