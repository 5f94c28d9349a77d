"""The leased job that issues certificates of a compromised key again.

Slots are leased in a transaction of their own. Not here: signing (jobs), the rules (reissue).
"""

from __future__ import annotations

from functools import partial

from chassis.persistence.transactions import Runner
from services.certification.certificates import usecases
from services.certification.statuslists.pool import SlotPool
from services.certification.transaction import Transaction

BATCH_SIZE = 100


async def reissue(slot_pool: SlotPool, run: Runner[Transaction]) -> bool:
    """Reserve successors for the next certificates of such keys; return whether some remain.

    Each batch is a transaction of its own, so that a killed job continues where it ended.
    """
    counts = await run(partial(usecases.count_for_reissue, BATCH_SIZE))
    for lsp_id, count in counts.items():
        slots = await slot_pool.take(run, lsp_id, count)
        await run(partial(usecases.reserve_successors, lsp_id, slots))
    return any(count == BATCH_SIZE for count in counts.values())
