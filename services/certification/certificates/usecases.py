"""Use cases of certificates: signing results, changes of state, reads, archived papers.

Not here: reserving (panels), signing (jobs) and printing (paper_process).
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chassis.persistence.store import Page
from services.certification.certificates import rules
from services.certification.certificates.rules import (
    ArchivedPaper,
    Certificate,
    CertificateState,
    Identifiers,
    RevocationCause,
)
from services.certification.lsps.rules import TOKEN_LENGTH, Lsp
from services.certification.schemes.rules import Scheme
from services.certification.statuslists.rules import raise_bit, raised_bit_id
from services.certification.transaction import Transaction

SIGN_JOB = "sign-certificates"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningRequest:
    """A reserved certificate with everything needed to sign it.

    `public_key` is None when the LSP no longer lists the key.
    """

    certificate: Certificate
    scheme: Scheme
    public_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningResult:
    """The result of signing: the digest with the encrypted document, or the code of a failure."""

    certificate_id: str
    digest: str = ""
    sealed_credential: str = ""
    failure: str = ""


def new_identifiers() -> Identifiers:
    """Return random identifiers.

    The ids are UUIDs of version 4, because a time in them would distinguish batches. The token is
    60 bits in base32.
    """
    token = base64.b32encode(secrets.token_bytes(8)).decode()[:TOKEN_LENGTH]
    return Identifiers(id=str(uuid.uuid4()), subject_id=str(uuid.uuid4()), token=token)


def credential_context(certificate_id: str) -> str:
    """Return the context to which an encrypted credential is bound."""
    return f"certificate/{certificate_id}/credential"


def paper_context(certificate_id: str) -> str:
    """Return the context to which an encrypted paper is bound."""
    return f"certificate/{certificate_id}/paper"


async def read_signing_requests(most: int, tx: Transaction) -> list[SigningRequest]:
    """Return up to `most` reserved certificates with their schemes and keys."""
    certificates = await tx.certificates.list_awaiting_signature(most)
    schemes = await tx.schemes.many(certificate.scheme_id for certificate in certificates)
    lsps = await tx.lsps.many(certificate.lsp_id for certificate in certificates)
    return [
        SigningRequest(
            certificate=certificate,
            scheme=schemes[certificate.scheme_id],
            public_key=_public_key(lsps[certificate.lsp_id], certificate.key_name),
        )
        for certificate in certificates
    ]


async def issue_signed(results: Sequence[SigningResult], tx: Transaction) -> None:
    """Issue what was signed, and store the failures of the rest.

    A certificate that is no longer reserved stays as it is.
    """
    certificates = await tx.certificates.many(result.certificate_id for result in results)
    origins = await tx.origins.many(certificate.origin_ref for certificate in certificates.values())
    schemes = await tx.schemes.many(certificate.scheme_id for certificate in certificates.values())
    for result in results:
        before = certificates[result.certificate_id]
        if before.state is not CertificateState.RESERVED:
            continue
        if result.failure:
            tx.certificates.save(before, rules.record_signing_failure(before, result.failure))
            continue
        after, events = rules.issue(
            before,
            schemes[before.scheme_id],
            origins[before.origin_ref].participant_ref,
            digest=result.digest,
            sealed_credential=result.sealed_credential,
            now=tx.now,
        )
        tx.certificates.save(before, after, events)


async def sign_again(certificate_id: str, version: int, tx: Transaction) -> Certificate:
    """Queue a certificate again that could not be signed."""
    before = await tx.certificates.get(certificate_id, if_match=version)
    tx.wake(SIGN_JOB)
    return tx.certificates.save(before, rules.retry_signing(before))


async def suspend(
    certificate_id: str, cause: RevocationCause, version: int, tx: Transaction
) -> Certificate:
    """Suspend a certificate: at once in our verification, in the list on the next tick."""
    before = await tx.certificates.get(certificate_id, if_match=version)
    participant_ref = await _read_participant_ref(before, tx)
    after, events = rules.suspend(before, participant_ref, cause, tx.caller.subject, tx.now)
    tx.raised_bits.add(raise_bit(before.lsp_id, before.place.suspension))
    return tx.certificates.save(before, after, events)


async def reinstate(
    certificate_id: str, cause: RevocationCause, version: int, tx: Transaction
) -> Certificate:
    """Reinstate a certificate: at once in our verification, in the list on the next tick."""
    before = await tx.certificates.get(certificate_id, if_match=version)
    participant_ref = await _read_participant_ref(before, tx)
    after, events = rules.reinstate(before, participant_ref, cause, tx.caller.subject, tx.now)
    raised = await tx.raised_bits.get(raised_bit_id(before.place.suspension))
    tx.raised_bits.remove(raised)
    return tx.certificates.save(before, after, events)


async def revoke(
    certificate_id: str, cause: RevocationCause, version: int, tx: Transaction
) -> Certificate:
    """Revoke a certificate permanently; a second revocation changes nothing."""
    before = await tx.certificates.get(certificate_id, if_match=version)
    participant_ref = await _read_participant_ref(before, tx)
    after, events = rules.revoke(before, participant_ref, cause, tx.caller.subject, tx.now)
    if not events:
        return before
    tx.raised_bits.add(raise_bit(before.lsp_id, before.place.revocation))
    return tx.certificates.save(before, after, events)


async def view_certificate(certificate_id: str, tx: Transaction) -> Certificate:
    """Return one of the caller's certificates; the read is audited."""
    certificate = await tx.certificates.get(certificate_id)
    tx.note("certificates.read", certificate.id, person=certificate.origin_ref)
    return certificate


async def list_certificates(
    state: CertificateState | None,
    application_id: str | None,
    cursor: str | None,
    limit: int,
    tx: Transaction,
) -> Page[Certificate]:
    """Return a page of the caller's certificates; the read is audited."""
    page = await tx.certificates.list_page(state, application_id, cursor, limit)
    refs = sorted({certificate.origin_ref for certificate in page.items})
    tx.note("certificates.listed", "", refs=refs)
    return page


async def read_credential(
    certificate_id: str, tx: Transaction
) -> tuple[Certificate, dict[str, Any]]:
    """Return the signed document, for an officer; the read is audited, as it contains the name."""
    certificate = await tx.certificates.get(certificate_id)
    tx.note(
        "credential.read", certificate.origin_ref, purpose="hand-out", certificate=certificate.id
    )
    return certificate, decrypt_credential(certificate, tx)


async def read_archived_paper(certificate_id: str, tx: Transaction) -> bytes | None:
    """Return the paper as first printed; None before the first print. The read is audited."""
    certificate = await tx.certificates.get(certificate_id)
    tx.note("paper.read", certificate.origin_ref, purpose="hand-out", certificate=certificate.id)
    paper = await tx.papers.seek(certificate.id)
    if paper is None:
        return None
    return base64.b64decode(tx.cipher.decrypt(paper.sealed, paper_context(certificate.id)))


async def archive_paper(certificate_id: str, layout: int, pdf: bytes, tx: Transaction) -> bytes:
    """Archive the first print permanently; return the archived one.

    A concurrent print therefore gets the same bytes.
    """
    archived = await read_archived_paper(certificate_id, tx)
    if archived is not None:
        return archived
    certificate = await tx.certificates.get(certificate_id)
    text = base64.b64encode(pdf).decode()
    tx.papers.add(
        ArchivedPaper(
            id=certificate.id,
            lsp_id=certificate.lsp_id,
            layout=layout,
            digest=hashlib.sha256(pdf).hexdigest(),
            sealed=tx.cipher.encrypt(text, paper_context(certificate.id)),
        )
    )
    return pdf


def decrypt_credential(certificate: Certificate, tx: Transaction) -> dict[str, Any]:
    """Return the signed document of a certificate. Raises CertificateStateDiffers without one."""
    sealed = rules.require_sealed_credential(certificate)
    return json.loads(tx.cipher.decrypt(sealed, credential_context(certificate.id)))


def _public_key(lsp: Lsp, key_name: str) -> str | None:
    return next((key.public for key in lsp.keys if key.name == key_name), None)


async def _read_participant_ref(certificate: Certificate, tx: Transaction) -> str:
    origin = await tx.origins.get(certificate.origin_ref)
    return origin.participant_ref
