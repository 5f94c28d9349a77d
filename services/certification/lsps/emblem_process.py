"""The upload of an emblem: it is rendered once before it is stored.

Not here: the papers that show it (certificates).
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from chassis.documents.pdf import DocumentNotPrintable, render_pdf
from chassis.http.idempotency import RequestRunner
from services.certification.lsps import rules, usecases
from services.certification.lsps.rules import EmblemUnfit, Lsp
from services.certification.settings import TEXTS
from services.certification.transaction import Transaction, without_idempotency_key

_TEMPLATE = Path(__file__).with_name("emblem.typ")


async def store_emblem(
    lsp_id: str, content: bytes, version: int, run: RequestRunner[Transaction]
) -> Lsp:
    """Store the emblem, which a paper can certainly show.

    Raises LspUnknown before the file is read, EmblemUnfit, VersionDiffers.
    """
    await without_idempotency_key(run)(partial(usecases.require_lsp, lsp_id))
    rules.check_emblem(content)
    try:
        await asyncio.to_thread(render_pdf, _TEMPLATE, {}, {"emblem": content})
    except DocumentNotPrintable:
        raise EmblemUnfit(TEXTS["details.emblem_damaged"]) from None
    return await run(partial(usecases.store_emblem, lsp_id, content, version))
