"""The leased job that counts all stock again and sums the books. Not here: what the figures mean for an alert (deploy/monitoring), and how a gap is mended."""

from __future__ import annotations

from functools import partial

from chassis import telemetry
from chassis.jobs.scheduled_gauges import ScheduledGauge
from chassis.persistence.transactions import Runner
from services.marketplace.metrics import rules
from services.marketplace.stock.store import Recount
from services.marketplace.transaction import Transaction

CHECK_INTERVAL_SECONDS, PAGE_SIZE, MAX_LOGGED_STOCKS = 900.0, 500, 20
STOCK_DIFFERENCE = ScheduledGauge(
    "marketplace_stock_difference_units",
    "Units by which balances of stock differ from the sum of their movements",
    every=CHECK_INTERVAL_SECONDS,
)
BOOK_DIFFERENCE = ScheduledGauge(
    "marketplace_books_difference_rupiah",
    "Rupiah by which the two sides of a book differ",
    "book",
    every=CHECK_INTERVAL_SECONDS,
)
AMOUNT_OWED = ScheduledGauge(
    "marketplace_owed_rupiah",
    "Rupiah that all Lapas together still owe: as PNBP, as premi",
    "party",
    every=CHECK_INTERVAL_SECONDS,
)
log = telemetry.log(__name__)


class StockAndBooksCheck:
    """Counts stock page by page from turn to turn, and at the end of a round sums the books."""

    def __init__(self) -> None:
        self._last_stock_id, self._difference_units = "", 0

    async def __call__(self, run: Runner[Transaction]) -> bool:
        """One page; True while there are more."""
        page = await run(partial(_recount_stock, self._last_stock_id))
        differing = [one for one in page if one.gap]
        if differing:
            log.error(
                "stock_differs",
                stocks=[one.id for one in differing[:MAX_LOGGED_STOCKS]],
                found=len(differing),
            )
        self._difference_units += sum(one.gap for one in differing)
        if len(page) == PAGE_SIZE:
            self._last_stock_id = page[-1].id
            return True
        STOCK_DIFFERENCE.set(self._difference_units)
        self._last_stock_id, self._difference_units = "", 0
        await run(_measure_books)
        return False


async def _recount_stock(after: str, tx: Transaction) -> list[Recount]:
    return await tx.stocks.recount(after, PAGE_SIZE)


async def _measure_books(tx: Transaction) -> None:
    sums = [
        (one["book"], one["account"], one["side"], one["amount_idr"])
        for one in await tx.journals.sum_by_account()
    ]
    BOOK_DIFFERENCE.set_by_label(rules.book_differences(sums))
    AMOUNT_OWED.set_by_label(rules.amounts_owed(sums))
