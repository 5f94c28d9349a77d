"""Slots of status lists that this process has leased and not used yet.

One lease serves a hundred certificates, so that not every certificate writes the counter.
Not here: how slots are computed (usecases).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import partial

from chassis.persistence.transactions import Runner
from services.certification.statuslists import usecases
from services.certification.statuslists.rules import LEASE_SIZE, StatusListSlots
from services.certification.transaction import Transaction


class SlotPool:
    """Leased slots by LSP. Slots that a stopped process has not used are lost without harm."""

    def __init__(self) -> None:
        self._slots: defaultdict[str, list[StatusListSlots]] = defaultdict(list)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def take(
        self, run: Runner[Transaction], lsp_id: str, count: int
    ) -> list[StatusListSlots]:
        """Return `count` slots that nobody else gets.

        Missing ones are leased in a transaction of their own.
        """
        async with self._locks[lsp_id]:
            slots = self._slots[lsp_id]
            missing = count - len(slots)
            if missing > 0:
                lease = partial(usecases.lease_slots, lsp_id, max(LEASE_SIZE, missing))
                slots += await run(lease, contended=[f"places/{lsp_id}"])
            taken = slots[:count]
            del slots[:count]
            return taken
