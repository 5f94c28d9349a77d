"""What happens: certificates are reserved, signed ones issued, suspended, reinstated, revoked; papers archived."""

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
    CertificateStateDiffers,
    Identifiers,
    RevocationCause,
)
from services.certification.schemes.rules import Scheme
from services.certification.statuslists.rules import raise_bit, raised_bit_id
from services.certification.transaction import Transaction
from services.certification.vault import FieldCipher


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningRequest:
    """A reserved certificate with what it takes to sign it; `public` is None when the LSP no longer lists the key."""

    certificate: Certificate
    scheme: Scheme
    public_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningResult:
    """How signing came out: a digest with the sealed document, or a failure's code."""

    certificate_id: str
    digest: str = ""
    sealed_credential: str = ""
    failure: str = ""


def new_identifiers() -> Identifiers:
    """Random ones: UUIDs of version 4, for a time in them would tell batches apart; 60 bits in base32 for the check address."""
    token = base64.b32encode(secrets.token_bytes(8)).decode()[:12]
    return Identifiers(id=str(uuid.uuid4()), subject_id=str(uuid.uuid4()), token=token)


def credential_context(certificate_id: str) -> str:
    """Where a sealed credential belongs."""
    return f"certificate/{certificate_id}/credential"


def paper_context(certificate_id: str) -> str:
    """Where a sealed paper belongs."""
    return f"certificate/{certificate_id}/paper"


async def read_signing_requests(most: int, tx: Transaction) -> list[SigningRequest]:
    """Reserved certificates with their schemes and keys."""
    certificates = await tx.certificates.list_awaiting_signature(most)
    schemes = await tx.schemes.many(one.scheme_id for one in certificates)
    lsps = await tx.lsps.many(one.lsp_id for one in certificates)
    return [
        SigningRequest(
            certificate=one,
            scheme=schemes[one.scheme_id],
            public_key=next(
                (key.public for key in lsps[one.lsp_id].keys if key.name == one.key_name), None
            ),
        )
        for one in certificates
    ]


async def issue_signed(signed: Sequence[SigningResult], tx: Transaction) -> None:
    """The second transaction: what was signed is issued, what could not be waits with its reason."""
    certificates = await tx.certificates.many(one.certificate_id for one in signed)
    origins = await tx.origins.many(one.origin_ref for one in certificates.values())
    schemes = await tx.schemes.many(one.scheme_id for one in certificates.values())
    for one in signed:
        before = certificates[one.certificate_id]
        if before.state is not CertificateState.RESERVED:
            continue
        if one.failure:
            tx.certificates.save(before, rules.record_signing_failure(before, one.failure))
            continue
        participant_ref = origins[before.origin_ref].participant_ref
        after, events = rules.issue(
            before,
            schemes[before.scheme_id],
            participant_ref,
            digest=one.digest,
            sealed_credential=one.sealed_credential,
            now=tx.now,
        )
        tx.certificates.save(before, after, events)


async def sign_again(certificate_id: str, tx: Transaction) -> Certificate:
    """Have one that could not be signed tried again."""
    before = await tx.certificates.get(certificate_id)
    tx.wake("sign-certificates")
    return tx.certificates.save(before, rules.retry_signing(before))


async def suspend(certificate_id: str, cause: RevocationCause, tx: Transaction) -> Certificate:
    """At once in our own verification, in the list at the next tick."""
    before = await tx.certificates.get(certificate_id)
    after, events = rules.suspend(
        before, await _read_participant_ref(before, tx), cause, tx.caller.subject, tx.now
    )
    tx.raised_bits.add(raise_bit(before.lsp_id, before.place.suspension))
    return tx.certificates.save(before, after, events)


async def reinstate(certificate_id: str, cause: RevocationCause, tx: Transaction) -> Certificate:
    """It holds again, at once here and in the list at the next tick."""
    before = await tx.certificates.get(certificate_id)
    after, events = rules.reinstate(
        before, await _read_participant_ref(before, tx), cause, tx.caller.subject, tx.now
    )
    tx.raised_bits.remove(await tx.raised_bits.get(raised_bit_id(before.place.suspension)))
    return tx.certificates.save(before, after, events)


async def revoke(certificate_id: str, cause: RevocationCause, tx: Transaction) -> Certificate:
    """For ever. The second time changes nothing."""
    before = await tx.certificates.get(certificate_id)
    after, events = rules.revoke(
        before, await _read_participant_ref(before, tx), cause, tx.caller.subject, tx.now
    )
    if not events:
        return before
    tx.raised_bits.add(raise_bit(before.lsp_id, before.place.revocation))
    return tx.certificates.save(before, after, events)


async def certificate(certificate_id: str, tx: Transaction) -> Certificate:
    """One of the caller's certificates."""
    found = await tx.certificates.get(certificate_id)
    tx.note("certificates.read", found.id, person=found.origin_ref)
    return found


async def listed(
    state: CertificateState | None,
    application_id: str | None,
    cursor: str | None,
    limit: int,
    tx: Transaction,
) -> Page[Certificate]:
    """The caller's certificates."""
    page = await tx.certificates.list_page(state, application_id, cursor, limit)
    tx.note("certificates.listed", "", refs=sorted({found.origin_ref for found in page.items}))
    return page


async def credential(certificate_id: str, tx: Transaction) -> tuple[Certificate, dict[str, Any]]:
    """The signed document, for an officer; the reading is noted, for the name is in it."""
    found = await tx.certificates.get(certificate_id)
    tx.note("credential.read", found.origin_ref, purpose="hand-out", certificate=found.id)
    return found, decrypt_credential(found, tx)


async def archived_paper(certificate_id: str, tx: Transaction) -> bytes | None:
    """The paper as it was first printed, None while it never was; the reading is noted."""
    found = await tx.certificates.get(certificate_id)
    tx.note("paper.read", found.origin_ref, purpose="hand-out", certificate=found.id)
    paper = await tx.papers.seek(found.id)
    return (
        None
        if paper is None
        else base64.b64decode(_vault(tx).decrypt(paper.sealed, paper_context(found.id)))
    )


async def archive_paper(certificate_id: str, layout: int, pdf: bytes, tx: Transaction) -> bytes:
    """Keep the first print for ever; whoever printed at the same moment gets that one."""
    if (before := await archived_paper(certificate_id, tx)) is not None:
        return before
    found = await tx.certificates.get(certificate_id)
    sealed = _vault(tx).encrypt(base64.b64encode(pdf).decode(), paper_context(found.id))
    tx.papers.add(
        ArchivedPaper(
            id=found.id,
            lsp_id=found.lsp_id,
            layout=layout,
            digest=hashlib.sha256(pdf).hexdigest(),
            sealed=sealed,
        )
    )
    return pdf


def decrypt_credential(certificate: Certificate, tx: Transaction) -> dict[str, Any]:
    """The signed document of an issued certificate."""
    if certificate.sealed_credential is None:
        raise CertificateStateDiffers(state=certificate.state.value)
    return json.loads(
        _vault(tx).decrypt(certificate.sealed_credential, credential_context(certificate.id))
    )


async def _read_participant_ref(certificate: Certificate, tx: Transaction) -> str:
    return (await tx.origins.get(certificate.origin_ref)).participant_ref


def _vault(tx: Transaction) -> FieldCipher:
    return tx.cipher
