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
from services.certification.certificates.reissue import needs_successor
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
    CertificateState.REPLACED: VerificationStatus.REPLACED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedCertificate:
    """The certificate of a check address, its LSP, and the result of its verification.

    `is_reissuing` while its key was compromised and its successor is not signed yet.
    """

    certificate: Certificate
    lsp: Lsp
    result: VerificationResult
    is_reissuing: bool = False


async def verify_document(document: dict[str, Any], tx: Transaction) -> VerificationResult:
    """Return the result for an uploaded document now. It writes nothing."""
    claims = rules.read_claims(document)
    lsp = await tx.lsps.find_by_did(claims.issuer) if claims.issuer else None
    if lsp is None:
        return rules.verify(document, None, {}, None, tx.now)
    certificate_id = claims.id.removeprefix("urn:uuid:")
    certificate = await tx.certificates.seek(certificate_id, scoped=False)
    lists = await read_lists(lsp, claims.list_urls, tx)
    return rules.verify(document, _build_issuer(lsp), lists, _build_stored(certificate), tx.now)


async def check_token(token: str, tx: Transaction) -> CheckedCertificate:
    """Verify the certificate whose paper carries this code. Raises CertificateUnknown.

    The code of a certificate that was issued again under another key leads to the new one.
    """
    found = await tx.certificates.find_by_token(token)
    certificate = certificate_rules.require_signed(found)
    while certificate.state is CertificateState.REPLACED and certificate.successor_id is not None:
        certificate = await tx.certificates.get(certificate.successor_id, scoped=False)
    lsp = await tx.lsps.get(certificate.lsp_id, scoped=False)
    if needs_successor(certificate, lsp, tx.now):
        result = rules.cannot_tell(tx.now)
        return CheckedCertificate(
            certificate=certificate, lsp=lsp, result=result, is_reissuing=True
        )
    credential = certificates.decrypt_credential(certificate, tx)
    result = await verify_document(credential, tx)
    return CheckedCertificate(certificate=certificate, lsp=lsp, result=result)


def _build_issuer(lsp: Lsp) -> TrustedIssuer:
    return TrustedIssuer(did=lsp.did, document=build_did_document(lsp), is_ours=True)


def _build_stored(certificate: Certificate | None) -> StoredCertificate | None:
    if certificate is None or certificate.digest is None:
        return None
    return StoredCertificate(
        digest=certificate.digest,
        key_name=certificate.key_name,
        licence=certificate.licence,
        status=_STATUS_BY_STATE[certificate.state],
    )


async def read_lists(lsp: Lsp, urls: Iterable[str], tx: Transaction) -> dict[str, FetchedList]:
    """Return the published lists with the ids that these URLs end with, by their own URL.

    The tick of the newest publication exposes older content in its place.
    """
    list_ids = [url.rpartition("/")[2] for url in urls]
    publications = await tx.publications.many(list_ids, scoped=False)
    return {
        list_url(lsp.origin, list_id): FetchedList(
            document=json.loads(publication.content), newest_seen=publication.tick
        )
        for list_id, publication in publications.items()
    }
