"""The leased job that counts all stock again and sums the books.

Not here: when a gauge alerts (deploy/monitoring), how a difference is repaired (runbooks).
"""

from __future__ import annotations

from functools import partial

from chassis import telemetry
from chassis.jobs.scheduled_gauges import ScheduledGauge
from chassis.persistence.transactions import Runner
from services.marketplace.metrics import rules, usecases
from services.marketplace.transaction import Transaction

CHECK_INTERVAL_SECONDS = 900.0
PAGE_SIZE = 500
MAX_LOGGED_STOCKS = 20
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
    """Counts one page of stock per call; after the last page it sums the books."""

    def __init__(self) -> None:
        self._last_stock_id = ""
        self._difference_units = 0

    async def __call__(self, run: Runner[Transaction]) -> bool:
        """Count one page of stock. Returns True while there are more."""
        page = await run(partial(usecases.recount_stock, self._last_stock_id, PAGE_SIZE))
        differing = [recount for recount in page if recount.gap]
        if differing:
            log.error(
                "stock_differs",
                stocks=[recount.id for recount in differing[:MAX_LOGGED_STOCKS]],
                found=len(differing),
            )
        self._difference_units += sum(recount.gap for recount in differing)
        if len(page) == PAGE_SIZE:
            self._last_stock_id = page[-1].id
            return True
        STOCK_DIFFERENCE.set(self._difference_units)
        self._last_stock_id = ""
        self._difference_units = 0
        sums = await run(usecases.sum_books)
        BOOK_DIFFERENCE.set_by_label(rules.book_differences(sums))
        AMOUNT_OWED.set_by_label(rules.amounts_owed(sums))
        return False
