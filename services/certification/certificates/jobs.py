"""The leased job that signs reserved certificates: reads in one transaction, signs outside any, issues in another.

Everything that is signed was fixed when the certificate was reserved, and Ed25519 is deterministic: after a kill at any point the same bytes come out.
"""

from __future__ import annotations

import json
from functools import partial

import structlog

from chassis.persistence.transactions import Runner
from services.certification.applications.usecases import name_place
from services.certification.certificates import rules, usecases
from services.certification.certificates.usecases import Signed, ToSign
from services.certification.credentials import document, proof
from services.certification.lsps.signer import KeyMissing, Signer
from services.certification.names.rules import NameUnfit, signable
from services.certification.transaction import Transaction
from services.certification.vault import Vault, VaultUnreadable

BATCH = 100
log = structlog.get_logger(__name__)


async def sign_reserved(signer: Signer, vault: Vault, run: Runner[Transaction]) -> bool:
    """Sign and issue the next batch; True when there may be more. One that cannot be signed waits with its reason, the others go on."""
    batch = await run(partial(usecases.to_be_signed, BATCH))
    signed = [await _signed(signer, vault, one) for one in batch]
    if signed:
        await run(partial(usecases.issue_signed, signed))
    return len(batch) == BATCH


async def _signed(signer: Signer, vault: Vault, one: ToSign) -> Signed:
    certificate = one.certificate
    try:
        name = signable(vault.open(certificate.sealed_name, name_place(certificate.application_id)))
        unsigned = document.certificate(rules.certified(certificate, one.scheme, name))
        configuration = proof.config(
            unsigned,
            document.utc(certificate.valid_from),
            f"{certificate.issuer}#{certificate.key_name}",
        )
        signature = await signer.sign(
            certificate.lsp_id, certificate.key_name, proof.message(unsigned, configuration)
        )
    except (KeyMissing, VaultUnreadable, NameUnfit) as error:
        return _failed(certificate.id, type(error).__name__)
    secured = proof.secured(unsigned, configuration, signature)
    if one.public is None or not proof.holds(secured, secured["proof"][0], one.public):
        return _failed(certificate.id, "KeyDiffers")
    return Signed(
        certificate_id=certificate.id,
        digest=proof.digest(secured),
        sealed_credential=vault.seal(
            json.dumps(secured, ensure_ascii=False), usecases.credential_place(certificate.id)
        ),
    )


def _failed(certificate_id: str, failure: str) -> Signed:
    log.error("certificate_not_signed", certificate_id=certificate_id, failure=failure)
    return Signed(certificate_id=certificate_id, failure=failure)
