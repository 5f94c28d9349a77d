"""The leased job that counts all stock again and sums the books.

Not here: when a gauge alerts (deploy/monitoring), how a difference is repaired (runbooks).
"""

from __future__ import annotations

from functools import partial

from chassis import telemetry
from chassis.jobs.scheduled_gauges import ScheduledGauge
from chassis.persistence.transactions import Runner
from services.marketplace.metrics import rules, usecases
from services.marketplace.stock.store import Recount
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


async def check_stock_and_books(run: Runner[Transaction]) -> bool:
    """Count all stock again, page by page, then sum the books.

    An interrupted count starts again, so that no gauge is a sum of pages of different times.
    """
    difference_units = 0
    last_id = ""
    has_more = True
    while has_more:
        page = await run(partial(usecases.recount_stock, last_id, PAGE_SIZE))
        difference_units += _report_differences(page)
        has_more = len(page) == PAGE_SIZE
        last_id = page[-1].id if has_more else ""
    STOCK_DIFFERENCE.set(difference_units)
    sums = await run(usecases.sum_books)
    BOOK_DIFFERENCE.set_by_label(rules.book_differences(sums))
    AMOUNT_OWED.set_by_label(rules.amounts_owed(sums))
    return False


def _report_differences(page: list[Recount]) -> int:
    """Log the stocks of a page that differ; return by how many units in all."""
    differing = [recount for recount in page if recount.gap]
    if differing:
        log.error(
            "stock_differs",
            stocks=[recount.id for recount in differing[:MAX_LOGGED_STOCKS]],
            found=len(differing),
        )
    return sum(recount.gap for recount in differing)
