"""The leased job that signs reserved certificates: reads in one transaction, signs outside any, issues in another.

Everything that is signed was fixed when the certificate was reserved, and Ed25519 is deterministic: after a kill at any point the same bytes come out.
"""

from __future__ import annotations

import json
from functools import partial

import structlog

from chassis.persistence.transactions import Runner
from services.certification.applications.usecases import name_context
from services.certification.certificates import rules, usecases
from services.certification.certificates.usecases import SigningRequest, SigningResult
from services.certification.credentials import document, proof
from services.certification.lsps.signer import KeyMissing, Signer
from services.certification.names.rules import NameUnfit, clean_name
from services.certification.transaction import Transaction
from services.certification.vault import FieldCipher, VaultUnreadable

BATCH_SIZE = 100
log = structlog.get_logger(__name__)


async def sign_reserved(signer: Signer, vault: FieldCipher, run: Runner[Transaction]) -> bool:
    """Sign and issue the next batch; True when there may be more. One that cannot be signed waits with its reason, the others go on."""
    batch = await run(partial(usecases.read_signing_requests, BATCH_SIZE))
    signed = [await _sign(signer, vault, one) for one in batch]
    if signed:
        await run(partial(usecases.issue_signed, signed))
    return len(batch) == BATCH_SIZE


async def _sign(signer: Signer, vault: FieldCipher, one: SigningRequest) -> SigningResult:
    certificate = one.certificate
    try:
        name = clean_name(
            vault.decrypt(certificate.sealed_name, name_context(certificate.application_id))
        )
        unsigned = document.build_certificate(rules.build_content(certificate, one.scheme, name))
        configuration = proof.build_configuration(
            unsigned,
            document.format_utc(certificate.valid_from),
            f"{certificate.issuer}#{certificate.key_name}",
        )
        signature = await signer.sign(
            certificate.lsp_id,
            certificate.key_name,
            proof.build_signing_input(unsigned, configuration),
        )
    except (KeyMissing, VaultUnreadable, NameUnfit) as error:
        return _report_failure(certificate.id, type(error).__name__)
    secured = proof.attach_proof(unsigned, configuration, signature)
    if one.public_key is None or not proof.is_valid(secured, secured["proof"][0], one.public_key):
        return _report_failure(certificate.id, "KeyDiffers")
    return SigningResult(
        certificate_id=certificate.id,
        digest=proof.digest(secured),
        sealed_credential=vault.encrypt(
            json.dumps(secured, ensure_ascii=False), usecases.credential_context(certificate.id)
        ),
    )


def _report_failure(certificate_id: str, failure: str) -> SigningResult:
    log.error("certificate_not_signed", certificate_id=certificate_id, failure=failure)
    return SigningResult(certificate_id=certificate_id, failure=failure)
