"""Use cases of verification: the evidence is read, the rules decide.

Our own DIDs and lists come from our store, never over HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from services.certification.certificates import rules as certificate_rules
from services.certification.certificates import usecases as certificates
from services.certification.certificates.rules import Certificate, CertificateState
from services.certification.credentials.document import list_url
from services.certification.lsps.rules import Lsp, build_did_document
from services.certification.statuslists.rules import FetchedList
from services.certification.transaction import Transaction
from services.certification.verifications import rules
from services.certification.verifications.rules import (
    StoredCertificate,
    TrustedIssuer,
    VerificationResult,
    VerificationStatus,
)

_STATUS_BY_STATE = {
    CertificateState.ISSUED: VerificationStatus.VALID,
    CertificateState.SUSPENDED: VerificationStatus.SUSPENDED,
    CertificateState.REVOKED: VerificationStatus.REVOKED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedCertificate:
    """The certificate of a check address, and the result of its verification."""

    certificate: Certificate
    result: VerificationResult


async def verify_document(document: dict[str, Any], tx: Transaction) -> VerificationResult:
    """Return the result for an uploaded document now. It writes nothing."""
    claims = rules.read_claims(document)
    lsp = await tx.lsps.find_by_did(claims.issuer) if claims.issuer else None
    if lsp is None:
        return rules.verify(document, None, {}, None, tx.now)
    certificate_id = claims.id.removeprefix("urn:uuid:")
    certificate = await tx.certificates.seek(certificate_id, scoped=False)
    lists = await _read_lists(lsp, claims.list_urls, tx)
    return rules.verify(document, _build_issuer(lsp), lists, _build_stored(certificate), tx.now)


async def check_token(token: str, tx: Transaction) -> CheckedCertificate:
    """Verify the certificate whose paper carries this code. Raises CertificateUnknown."""
    stored = await tx.certificates.find_by_token(token)
    certificate = certificate_rules.require_signed(stored)
    credential = certificates.decrypt_credential(certificate, tx)
    result = await verify_document(credential, tx)
    return CheckedCertificate(certificate=certificate, result=result)


def _build_issuer(lsp: Lsp) -> TrustedIssuer:
    return TrustedIssuer(
        did=lsp.did, document=build_did_document(lsp), licences=lsp.licences, is_ours=True
    )


def _build_stored(certificate: Certificate | None) -> StoredCertificate | None:
    if certificate is None or certificate.digest is None:
        return None
    return StoredCertificate(digest=certificate.digest, status=_STATUS_BY_STATE[certificate.state])


async def _read_lists(lsp: Lsp, urls: Iterable[str], tx: Transaction) -> dict[str, FetchedList]:
    """Return the published lists with the ids that these URLs end with, by their own URL."""
    list_ids = [url.rpartition("/")[2] for url in urls]
    publications = await tx.publications.many(list_ids, scoped=False)
    return {
        list_url(lsp.origin, list_id): FetchedList(document=json.loads(publication.content))
        for list_id, publication in publications.items()
    }
