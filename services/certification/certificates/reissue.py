"""Rules of the re-issue of certificates whose key was compromised (certification section 4).

Not here: the key itself (lsps), and which certificate a code leads to (verifications).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.certification.certificates.rules import (
    IN_FORCE,
    Certificate,
    CertificateState,
    Identifiers,
    RevocationCause,
    change_state,
    require_signing_key,
)
from services.certification.events import CertificateReplaced
from services.certification.lsps.rules import Lsp, is_compromised
from services.certification.statuslists.rules import StatusListSlots


def use_current_key(certificate: Certificate, lsp: Lsp) -> Certificate:
    """Return a reserved certificate with another key if its own was compromised before signing."""
    if not is_compromised(lsp, certificate.key_name):
        return certificate
    return replace(certificate, key_name=require_signing_key(lsp), failure=None)


def needs_successor(certificate: Certificate, lsp: Lsp, now: datetime) -> bool:
    """Return whether it is in force under a key that was compromised."""
    is_in_force = certificate.state in IN_FORCE and now < certificate.valid_until
    return is_in_force and is_compromised(lsp, certificate.key_name)


def reserve_successor(
    before: Certificate, identifiers: Identifiers, slots: StatusListSlots, lsp: Lsp
) -> tuple[Certificate, Certificate]:
    """Reserve the certificate that says the same under the key that signs now.

    It gets an id, a code and slots of its own. Returns it and the former one with the link.
    """
    successor = replace(
        before,
        id=identifiers.id,
        version=0,
        subject_id=identifiers.subject_id,
        token=identifiers.token,
        place=slots,
        key_name=require_signing_key(lsp),
        state=CertificateState.RESERVED,
        failure=None,
        digest=None,
        sealed_credential=None,
        issued_at=None,
        changes=(),
        paper_version=1,
        replaces=before.id,
    )
    return successor, replace(before, successor_id=successor.id)


def replace_reissued(
    before: Certificate,
    successor: Certificate,
    participant_ref: str,
    *,
    digest: str,
    sealed_credential: str,
    now: datetime,
) -> tuple[Certificate, Certificate, list[CertificateReplaced]]:
    """Put the signed successor in the place of a certificate of a compromised key.

    The successor gets the state that the former certificate has at that moment: suspended stays
    suspended, and what was revoked meanwhile stays revoked and is not replaced.
    """
    issued = replace(
        successor,
        state=before.state,
        failure=None,
        digest=digest,
        sealed_credential=sealed_credential,
        issued_at=now,
        changes=before.changes,
    )
    if before.state not in IN_FORCE:
        return before, issued, []
    cause = RevocationCause.ISSUER_KEY_COMPROMISE
    replaced = change_state(before, CertificateState.REPLACED, cause, "certification", now)
    event = CertificateReplaced(
        participant_ref=participant_ref,
        certificate_id=before.id,
        replaced_by=successor.id,
        digest=digest,
    )
    return replaced, issued, [event]
