"""The creation of an issuer's keys: the signer is called between two transactions.

Not here: the private keys, which stay behind the signer's port.
"""

from __future__ import annotations

from functools import partial

from chassis.http.idempotency import RequestRunner
from chassis.ids import utc_now
from services.certification.credentials.document import WESTERN_INDONESIA
from services.certification.lsps import rules, usecases
from services.certification.lsps.rules import KeyPurpose, Lsp
from services.certification.lsps.signer import Signer
from services.certification.transaction import Transaction, without_idempotency_key


async def create_keys(
    lsp_id: str, version: int, signer: Signer, run: RequestRunner[Transaction]
) -> Lsp:
    """Create the keys of this year and list their public halves at the LSP; safe to repeat.

    Raises LspUnknown before a key is created, VersionDiffers.
    """
    await without_idempotency_key(run)(partial(usecases.require_lsp, lsp_id))
    year = utc_now().astimezone(WESTERN_INDONESIA).year
    names = [rules.key_name(purpose, year) for purpose in KeyPurpose]
    keys = [(name, await signer.create(lsp_id, name)) for name in names]
    return await run(partial(usecases.add_keys, lsp_id, keys, version))
