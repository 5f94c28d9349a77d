"""A panel decision with the lease of its slots, which is a transaction of its own.

Not here: the rules of a decision (rules).
"""

from __future__ import annotations

from functools import partial

from chassis.http.idempotency import RequestRunner
from services.certification.lsps import usecases as lsps
from services.certification.panels import usecases
from services.certification.panels.rules import PanelDecision, Sitting
from services.certification.statuslists.pool import SlotPool
from services.certification.transaction import Transaction, without_idempotency_key


async def decide(
    sitting: Sitting, slot_pool: SlotPool, run: RequestRunner[Transaction]
) -> PanelDecision:
    """Take slots for all verdicts of competence, then enter the sitting.

    Slots of refused verdicts are lost without harm. Raises LspUnknown before slots are taken.
    """
    prepare = without_idempotency_key(run)
    await prepare(partial(lsps.require_lsp, sitting.lsp_id))
    count = sum(verdict.competent for verdict in sitting.verdicts)
    slots = await slot_pool.take(prepare, sitting.lsp_id, count)
    command = partial(usecases.decide, sitting, slots)
    return await run(command, contended=[f"panel/{sitting.lsp_id}"])
