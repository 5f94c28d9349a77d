"""What happens: the evidence for a verification is gathered. Our own DIDs and lists come from our store, never over HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from services.certification.certificates import usecases as certificates
from services.certification.certificates.rules import Certificate, CertificateUnknown, State
from services.certification.credentials.document import list_url
from services.certification.lsps.rules import Lsp, did_document
from services.certification.statuslists.rules import ListReading
from services.certification.transaction import Transaction
from services.certification.verifications import rules
from services.certification.verifications.rules import Status, Stored, TrustedIssuer, VerifyResult

_STATUSES = {
    State.ISSUED: Status.VALID,
    State.SUSPENDED: Status.SUSPENDED,
    State.REVOKED: Status.REVOKED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What is said of the certificate of a check address."""

    certificate: Certificate
    result: VerifyResult


async def verify_document(document: dict[str, Any], tx: Transaction) -> VerifyResult:
    """What can be said of an uploaded document now. Nobody's upload changes anything."""
    issuer_did, id_, urls = rules.claimed(document)
    lsp = await tx.lsps.by_did(issuer_did) if issuer_did else None
    if lsp is None:
        return rules.verify(document, None, {}, None, tx.now)
    certificate = await tx.certificates.seek(id_.removeprefix("urn:uuid:"), scoped=False)
    return rules.verify(
        document, _issuer(lsp), await _lists(lsp, urls, tx), _stored(certificate), tx.now
    )


async def check_token(token: str, tx: Transaction) -> Checked:
    """What is said of the certificate whose paper carries this code; CertificateUnknown for any other code."""
    certificate = await tx.certificates.of_token(token)
    if certificate is None or certificate.sealed_credential is None:
        raise CertificateUnknown
    return Checked(
        certificate=certificate,
        result=await verify_document(certificates.opened(certificate, tx), tx),
    )


def _issuer(lsp: Lsp) -> TrustedIssuer:
    return TrustedIssuer(did=lsp.did, document=did_document(lsp), licences=lsp.licences, ours=True)


def _stored(certificate: Certificate | None) -> Stored | None:
    if certificate is None or certificate.digest is None:
        return None
    return Stored(digest=certificate.digest, status=_STATUSES[certificate.state])


async def _lists(lsp: Lsp, urls: tuple[str, ...], tx: Transaction) -> dict[str, ListReading]:
    found = await tx.publications.many((url.rpartition("/")[2] for url in urls), scoped=False)
    return {
        list_url(lsp.origin, list_id): ListReading(document=json.loads(publication.content))
        for list_id, publication in found.items()
    }
