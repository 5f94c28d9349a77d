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
from services.certification.certificates import paper_rules, reissue, rules
from services.certification.certificates.rules import (
    ArchivedPaper,
    Certificate,
    CertificateState,
    Identifiers,
    Numbers,
    RevocationCause,
)
from services.certification.lsps.rules import TOKEN_LENGTH, IssuerKey, Lsp, require_key
from services.certification.schemes.rules import Scheme
from services.certification.statuslists.rules import StatusListSlots, raise_bit, raised_bit_id
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperContent:
    """What a paper shows: the signed document, and what is not signed."""

    certificate: Certificate
    credential: dict[str, Any]
    scheme: Scheme
    emblem: bytes | None


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
    """Return up to `most` reserved certificates with their schemes and keys.

    A certificate whose key was compromised since its reservation gets the key that signs now.
    """
    reserved = await tx.certificates.list_awaiting_signature(most)
    schemes = await tx.schemes.many(certificate.scheme_id for certificate in reserved)
    lsps = await tx.lsps.many(certificate.lsp_id for certificate in reserved)
    requests: list[SigningRequest] = []
    for before in reserved:
        lsp = lsps[before.lsp_id]
        certificate = reissue.use_current_key(before, lsp)
        if certificate != before:
            certificate = tx.certificates.save(before, certificate)
        requests.append(
            SigningRequest(
                certificate=certificate,
                scheme=schemes[certificate.scheme_id],
                public_key=_public_key(lsp, certificate.key_name),
            )
        )
    return requests


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
        participant_ref = origins[before.origin_ref].participant_ref
        if before.replaces is not None:
            await _replace(before, before.replaces, participant_ref, result, tx)
            continue
        after, events = rules.issue(
            before,
            schemes[before.scheme_id],
            participant_ref,
            digest=result.digest,
            sealed_credential=result.sealed_credential,
            now=tx.now,
        )
        tx.certificates.save(before, after, events)


async def _replace(
    successor: Certificate,
    former_id: str,
    participant_ref: str,
    result: SigningResult,
    tx: Transaction,
) -> None:
    """Put a signed successor in the place of its former certificate, with the bits of both."""
    former = await tx.certificates.get(former_id)
    replaced, issued, events = reissue.replace_reissued(
        former,
        successor,
        participant_ref,
        digest=result.digest,
        sealed_credential=result.sealed_credential,
        now=tx.now,
    )
    tx.certificates.save(successor, issued, events)
    if replaced.state is CertificateState.REPLACED:
        tx.certificates.save(former, replaced)
        tx.raised_bits.add(raise_bit(former.lsp_id, former.place.revocation))
    if issued.state is CertificateState.SUSPENDED:
        tx.raised_bits.add(raise_bit(issued.lsp_id, issued.place.suspension))
    if issued.state is CertificateState.REVOKED:
        tx.raised_bits.add(raise_bit(issued.lsp_id, issued.place.revocation))


async def count_for_reissue(most: int, tx: Transaction) -> dict[str, int]:
    """Return by LSP how many certificates a batch of re-issues takes, at most `most` each."""
    counts: dict[str, int] = {}
    for lsp in await tx.lsps.list_with_compromised_keys():
        counts[lsp.id] = len(await _list_for_reissue(lsp, most, tx))
    return {lsp_id: count for lsp_id, count in counts.items() if count}


async def reserve_successors(
    lsp_id: str, slots: Sequence[StatusListSlots], tx: Transaction
) -> None:
    """Reserve the successors of certificates of compromised keys, one for each slot at most."""
    lsp = await tx.lsps.get(lsp_id)
    formers = await _list_for_reissue(lsp, len(slots), tx)
    for former, slot in zip(formers, slots, strict=False):
        if reissue.needs_successor(former, lsp, tx.now):
            successor, linked = reissue.reserve_successor(former, new_identifiers(), slot, lsp)
            tx.certificates.save(former, linked)
            tx.certificates.add(successor)
    tx.lsps.hold(lsp)
    tx.wake(SIGN_JOB)


async def _list_for_reissue(lsp: Lsp, most: int, tx: Transaction) -> list[Certificate]:
    key_names = [key.name for key in lsp.keys if key.compromised_at is not None]
    return await tx.certificates.list_in_force_of_keys(lsp.id, key_names, tx.now, most)


async def view_reissue(
    lsp_id: str, key_name: str, tx: Transaction
) -> tuple[IssuerKey, dict[str, int]]:
    """Return a key with the progress of the re-issue of its certificates."""
    key = require_key(await tx.lsps.get(lsp_id), key_name)
    return key, await tx.certificates.count_of_key(lsp_id, key_name, tx.now)


async def record_numbers(
    certificate_id: str, numbers: Numbers, version: int, tx: Transaction
) -> Certificate:
    """Record the numbers of BNSP as received; the paper gets its next version."""
    before = await tx.certificates.get(certificate_id, if_match=version)
    after = paper_rules.record_numbers(before, numbers)
    return before if after == before else tx.certificates.save(before, after)


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


async def read_archived_paper(
    certificate_id: str, paper_version: int | None, tx: Transaction
) -> bytes | None:
    """Return the paper as first printed; None before the first print of the newest version.

    Raises PaperUnknown for an earlier version that was never printed. The read is audited.
    """
    certificate = await tx.certificates.get(certificate_id)
    version = paper_rules.require_paper_version(certificate, paper_version)
    tx.note("paper.read", certificate.origin_ref, purpose="hand-out", certificate=certificate.id)
    paper = await tx.papers.seek(paper_rules.paper_id(certificate.id, version))
    if paper is None and version == certificate.paper_version:
        return None
    return _open_paper(certificate.id, paper_rules.require_archived(paper), tx)


async def read_paper_content(certificate_id: str, tx: Transaction) -> PaperContent:
    """Return everything that a paper shows. Raises CertificateStateDiffers before it is signed."""
    certificate = await tx.certificates.get(certificate_id)
    scheme = await tx.schemes.get(certificate.scheme_id)
    emblem = await tx.emblems.seek(certificate.lsp_id)
    return PaperContent(
        certificate=certificate,
        credential=decrypt_credential(certificate, tx),
        scheme=scheme,
        emblem=emblem.content if emblem else None,
    )


async def archive_paper(printed: Certificate, layout: int, pdf: bytes, tx: Transaction) -> bytes:
    """Archive the first print of a version permanently; return the archived one.

    A concurrent print therefore gets the same bytes.
    """
    certificate = await tx.certificates.get(printed.id)
    paper_id = paper_rules.paper_id(printed.id, printed.paper_version)
    archived = await tx.papers.seek(paper_id)
    if archived is not None:
        return _open_paper(certificate.id, archived, tx)
    text = base64.b64encode(pdf).decode()
    tx.papers.add(
        ArchivedPaper(
            id=paper_id,
            lsp_id=certificate.lsp_id,
            layout=layout,
            digest=hashlib.sha256(pdf).hexdigest(),
            sealed=tx.cipher.encrypt_to_text(text, paper_context(certificate.id)),
        )
    )
    return pdf


def _open_paper(certificate_id: str, paper: ArchivedPaper, tx: Transaction) -> bytes:
    return base64.b64decode(tx.cipher.decrypt_text(paper.sealed, paper_context(certificate_id)))


def decrypt_credential(certificate: Certificate, tx: Transaction) -> dict[str, Any]:
    """Return the signed document of a certificate. Raises CertificateStateDiffers without one."""
    sealed = rules.require_sealed_credential(certificate)
    return json.loads(tx.cipher.decrypt_text(sealed, credential_context(certificate.id)))


def _public_key(lsp: Lsp, key_name: str) -> str | None:
    return next((key.public for key in lsp.keys if key.name == key_name), None)


async def _read_participant_ref(certificate: Certificate, tx: Transaction) -> str:
    origin = await tx.origins.get(certificate.origin_ref)
    return origin.participant_ref
