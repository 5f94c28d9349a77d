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

    Raises LspUnknown before a key is created, VersionDiffers, KeysExhausted.
    """
    lsp = await without_idempotency_key(run)(partial(usecases.view_lsp, lsp_id))
    names = [rules.usable_key_name(lsp, purpose, _this_year()) for purpose in KeyPurpose]
    keys = [(name, await signer.create(lsp_id, name)) for name in names]
    return await run(partial(usecases.add_keys, lsp_id, keys, version))


async def replace_compromised_key(
    lsp_id: str, key_name: str, version: int, signer: Signer, run: RequestRunner[Transaction]
) -> Lsp:
    """Withdraw a compromised key; a new one of its purpose signs from now on. Safe to repeat.

    Raises LspUnknown, KeyUnknown, VersionDiffers, KeysExhausted.
    """
    lsp = await without_idempotency_key(run)(partial(usecases.view_lsp, lsp_id))
    name = rules.replacement_key_name(lsp, key_name, utc_now(), _this_year())
    public = await signer.create(lsp_id, name)
    command = partial(usecases.report_compromise, lsp_id, key_name, (name, public), version)
    return await run(command)


def _this_year() -> int:
    return utc_now().astimezone(WESTERN_INDONESIA).year
