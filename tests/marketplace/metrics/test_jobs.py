"""Gauges of stock and books: a difference shows to the unit and the rupiah."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from chassis.errors import Busy
from chassis.persistence.mongo import updating
from services.marketplace.metrics import jobs, usecases
from services.marketplace.stock.store import Recount
from services.marketplace.transaction import Transaction
from tests.marketplace.harness import LapasHarness

BOOKS = ("LAPAS", "WBP_TRUST", "KOPERASI")


def gauge(name: str, **labels: str) -> float | None:
    """Return the value of a gauge."""
    return REGISTRY.get_sample_value(name, labels)


def amounts_owed() -> dict[str, float]:
    """Return the rupiah owed, by party."""
    return {
        party: gauge("marketplace_owed_rupiah", party=party) or 0 for party in ("pnbp", "premi")
    }


def book_differences() -> dict[str, float | None]:
    """Return by how many rupiah the sides of each book differ."""
    return {book: gauge("marketplace_books_difference_rupiah", book=book) for book in BOOKS}


async def check_stock_and_books(lapas: LapasHarness) -> None:
    """Run the job once."""
    await jobs.check_stock_and_books(lapas.runner())


async def add_to_stored(lapas: LapasHarness, collection: str, id_: str, **amounts: int) -> None:
    """Add to fields of a document beside the service; `__` means a dot."""
    fields = {name.replace("__", "."): amount for name, amount in amounts.items()}
    await lapas.engine.db.bulk(collection, [updating(id_, {"$inc": fields})])


async def test_stock_changed_without_a_movement_is_found_on_any_page(
    lapas: LapasHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PAGE_SIZE", 1)
    await lapas.produce(7, 280_000, 3)
    await lapas.paid_order(2)
    await check_stock_and_books(lapas)
    assert gauge("marketplace_stock_difference_units") == 0
    await add_to_stored(lapas, "stock", lapas.stock_id, on_hand=-1, allocated=2)
    await check_stock_and_books(lapas)
    assert gauge("marketplace_stock_difference_units") == 3
    await add_to_stored(lapas, "stock", lapas.stock_id, on_hand=1, allocated=-2)


async def test_a_count_that_was_interrupted_starts_again(
    lapas: LapasHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A difference that is repaired meanwhile is not in the next figure."""
    await lapas.produce(7, 280_000, 3)
    await add_to_stored(lapas, "stock", lapas.stock_id, on_hand=-1)
    monkeypatch.setattr(jobs, "PAGE_SIZE", 1)
    recount = usecases.recount_stock
    seen: list[str] = []

    async def interrupted(after: str, limit: int, tx: Transaction) -> list[Recount]:
        page = await recount(after, limit, tx)
        if lapas.stock_id in seen:
            raise Busy
        seen.extend(row.id for row in page)
        return page

    async def check_until_interrupted() -> None:
        while True:
            await check_stock_and_books(lapas)

    with monkeypatch.context() as patched:
        patched.setattr(usecases, "recount_stock", interrupted)
        with pytest.raises(Busy):
            await check_until_interrupted()
    await add_to_stored(lapas, "stock", lapas.stock_id, on_hand=1)
    await check_stock_and_books(lapas)
    assert gauge("marketplace_stock_difference_units") == 0


async def test_what_is_owed_is_summed_by_party_without_names(lapas: LapasHarness) -> None:
    await check_stock_and_books(lapas)
    before = amounts_owed()
    await lapas.produce(5, 200_000, 1)
    await lapas.paid_order(1)
    await check_stock_and_books(lapas)
    assert amounts_owed() == {"pnbp": before["pnbp"] + 9_000, "premi": before["premi"] + 30_000}


async def test_books_that_do_not_balance_are_found(lapas: LapasHarness) -> None:
    await lapas.produce(5, 200_000, 1)
    order = await lapas.paid_order(1)
    await check_stock_and_books(lapas)
    assert book_differences() == {"LAPAS": 0, "WBP_TRUST": 0, "KOPERASI": 0}
    [journal] = await lapas.stored("journals", source=order["id"])
    await add_to_stored(lapas, "journals", journal["_id"], legs__0__amount_idr=500)
    await check_stock_and_books(lapas)
    assert book_differences()["LAPAS"] == 500
