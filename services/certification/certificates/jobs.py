"""The leased job that signs reserved certificates.

It reads in one transaction, signs outside of any, and issues in another. Everything that is signed
was fixed when the certificate was reserved, and Ed25519 is deterministic. After a kill at any point
the same bytes are signed again.
"""

from __future__ import annotations

import json
from functools import partial

import structlog

from chassis.persistence.field_encryption import FieldCipher, FieldUnreadable
from chassis.persistence.transactions import Runner
from services.certification.applications.usecases import name_context
from services.certification.certificates import rules, usecases
from services.certification.certificates.usecases import SigningRequest, SigningResult
from services.certification.credentials import document, proof
from services.certification.lsps.signer import KeyMissing, Signer
from services.certification.names.rules import NameUnfit, clean_name
from services.certification.transaction import Transaction

BATCH_SIZE = 100
log = structlog.get_logger(__name__)


async def sign_reserved(signer: Signer, cipher: FieldCipher, run: Runner[Transaction]) -> bool:
    """Sign and issue the next batch; return whether there may be more.

    A certificate that cannot be signed waits with its failure and does not stop the others.
    """
    requests = await run(partial(usecases.read_signing_requests, BATCH_SIZE))
    results = [await _sign(signer, cipher, request) for request in requests]
    if results:
        await run(partial(usecases.issue_signed, results))
    return len(requests) == BATCH_SIZE


async def _sign(signer: Signer, cipher: FieldCipher, request: SigningRequest) -> SigningResult:
    certificate = request.certificate
    try:
        sealed_name = certificate.sealed_name
        name = clean_name(
            cipher.decrypt_text(sealed_name, name_context(certificate.application_id))
        )
        unsigned = document.build_certificate(
            rules.build_content(certificate, request.scheme, name)
        )
        configuration = proof.build_configuration(
            unsigned,
            document.format_utc(certificate.valid_from),
            f"{certificate.issuer}#{certificate.key_name}",
        )
        message = proof.build_signing_input(unsigned, configuration)
        signature = await signer.sign(certificate.lsp_id, certificate.key_name, message)
    except FieldUnreadable:
        return _report_failure(certificate.id, "VaultUnreadable")
    except (KeyMissing, NameUnfit) as error:
        return _report_failure(certificate.id, type(error).__name__)
    signed = proof.attach_proof(unsigned, configuration, signature)
    public_key = request.public_key
    if public_key is None or not proof.is_valid(signed, signed["proof"][0], public_key):
        return _report_failure(certificate.id, "KeyDiffers")
    text = json.dumps(signed, ensure_ascii=False)
    return SigningResult(
        certificate_id=certificate.id,
        digest=proof.digest(signed),
        sealed_credential=cipher.encrypt_to_text(text, usecases.credential_context(certificate.id)),
    )


def _report_failure(certificate_id: str, failure: str) -> SigningResult:
    log.error("certificate_not_signed", certificate_id=certificate_id, failure=failure)
    return SigningResult(certificate_id=certificate_id, failure=failure)
