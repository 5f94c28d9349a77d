"""The leased job that publishes status lists on the tick.

It reads in one transaction, signs outside of any, and stores in another.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import partial

import structlog

from chassis.persistence.transactions import Runner
from services.certification.credentials import document, proof
from services.certification.lsps.signer import KeyMissing, Signer
from services.certification.statuslists import bits, rules, usecases
from services.certification.statuslists.rules import Publication
from services.certification.statuslists.usecases import DueList
from services.certification.transaction import Transaction

log = structlog.get_logger(__name__)


async def publish_lists(signer: Signer, every: timedelta, run: Runner[Transaction]) -> bool:
    """Publish every list that is due on this tick, changed or not."""
    tick = rules.last_tick(run.engine.clock(), every)
    due_lists = await run(partial(usecases.read_due_lists, tick))
    publications: list[Publication] = []
    for due in due_lists:
        try:
            publications.append(await _sign(signer, due, tick))
        except KeyMissing:
            log.warning("status_list_not_signed", lsp_id=due.lsp_id, key=due.key_name)
    if publications:
        await run(partial(usecases.publish, publications))
    return False


async def _sign(signer: Signer, due: DueList, tick: datetime) -> Publication:
    unsigned = document.build_status_list(
        url=due.url,
        issuer=due.issuer,
        purpose=due.purpose,
        encoded=bits.encode(due.raised_indexes),
        valid_from=tick,
        valid_until=tick + rules.VALID_FOR,
    )
    configuration = proof.build_configuration(
        unsigned, document.format_utc(tick), f"{due.issuer}#{due.key_name}"
    )
    message = proof.build_signing_input(unsigned, configuration)
    signature = await signer.sign(due.lsp_id, due.key_name, message)
    signed = proof.attach_proof(unsigned, configuration, signature)
    return Publication(id=due.list_id, lsp_id=due.lsp_id, tick=tick, content=json.dumps(signed))
