"""The leased job that counts all stock again and sums the books. Not here: what the figures mean for an alert (deploy/monitoring), and how a gap is mended."""

from __future__ import annotations

from functools import partial

from chassis import telemetry
from chassis.jobs.scheduled_gauges import Figure
from chassis.persistence.transactions import Runner
from services.marketplace.metrics import rules
from services.marketplace.stock.store import Recount
from services.marketplace.transaction import Transaction

AUDIT_SECONDS, PAGE, NAMED = 900.0, 500, 20
STOCK_GAP = Figure(
    "marketplace_stock_difference_units",
    "Units by which balances of stock differ from the sum of their movements",
    every=AUDIT_SECONDS,
)
BOOKS_GAP = Figure(
    "marketplace_books_difference_rupiah",
    "Rupiah by which the two sides of a book differ",
    "book",
    every=AUDIT_SECONDS,
)
OWED = Figure(
    "marketplace_owed_rupiah",
    "Rupiah that all Lapas together still owe: as PNBP, as premi",
    "party",
    every=AUDIT_SECONDS,
)
log = telemetry.log(__name__)


class Audit:
    """Counts stock page by page from turn to turn, and at the end of a round sums the books."""

    def __init__(self) -> None:
        self._after, self._gap = "", 0

    async def __call__(self, run: Runner[Transaction]) -> bool:
        """One page; True while there are more."""
        page = await run(partial(_recounted, self._after))
        differing = [one for one in page if one.gap]
        if differing:
            log.error(
                "stock_differs", stocks=[one.id for one in differing[:NAMED]], found=len(differing)
            )
        self._gap += sum(one.gap for one in differing)
        if len(page) == PAGE:
            self._after = page[-1].id
            return True
        STOCK_GAP.show(self._gap)
        self._after, self._gap = "", 0
        await run(_summed)
        return False


async def _recounted(after: str, tx: Transaction) -> list[Recount]:
    return await tx.stocks.recounted(after, PAGE)


async def _summed(tx: Transaction) -> None:
    sums = [
        (one["book"], one["account"], one["side"], one["amount_idr"])
        for one in await tx.journals.sums()
    ]
    BOOKS_GAP.show_each(rules.differences(sums))
    OWED.show_each(rules.owed(sums))
