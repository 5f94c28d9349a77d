"""Places in status lists that this process has leased and not used yet: one lease in a hundred certificates instead of a counter in each. Not here: how places are made."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import partial

from chassis.persistence.transactions import Runner
from services.certification.certificates.rules import StatusListSlots
from services.certification.statuslists import usecases
from services.certification.statuslists.rules import LEASE_SIZE
from services.certification.transaction import Transaction


class SlotPool:
    """Leased places by LSP. What a process that ends has left is lost without harm."""

    def __init__(self) -> None:
        self._slots: defaultdict[str, list[StatusListSlots]] = defaultdict(list)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def take(
        self, run: Runner[Transaction], lsp_id: str, count: int
    ) -> list[StatusListSlots]:
        """So many places that nobody else gets; leased in a transaction of its own where they run short."""
        async with self._locks[lsp_id]:
            places = self._slots[lsp_id]
            if len(places) < count:
                block = max(LEASE_SIZE, count - len(places))
                places += await run(
                    partial(usecases.lease_slots, lsp_id, block), contended=[f"places/{lsp_id}"]
                )
            taken, places[:count] = places[:count], []
            return taken
