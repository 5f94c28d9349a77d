"""Stock that is not the sum of its movements and books that do not balance show in figures, to the unit and the rupiah."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from chassis.caller import system
from chassis.ids import new_id
from chassis.persistence.mongo import updating
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import OperationContext
from services.marketplace.metrics import jobs
from services.marketplace.metrics.jobs import StockAndBooksCheck
from tests.marketplace.harness import Lapas


def shown(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def audited(lapas: Lapas) -> None:
    audit, run = (
        StockAndBooksCheck(),
        Runner(
            lapas.engine, OperationContext(caller=system("marketplace"), correlation_id=new_id())
        ),
    )
    while await audit(run):
        pass


async def test_stock_that_was_changed_without_a_movement_is_found_whatever_page_it_is_on(
    lapas: Lapas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PAGE_SIZE", 1)
    await lapas.produce(7, 280_000, 3)
    await lapas.paid_order(2)
    await audited(lapas)
    assert shown("marketplace_stock_difference_units") == 0
    await lapas.engine.db.bulk(
        "stock", [updating(lapas.stock_id, {"$inc": {"on_hand": -1, "allocated": 2}})]
    )
    await audited(lapas)
    assert shown("marketplace_stock_difference_units") == 3
    await lapas.engine.db.bulk(
        "stock", [updating(lapas.stock_id, {"$inc": {"on_hand": 1, "allocated": -2}})]
    )


async def test_books_that_do_not_balance_are_found_and_what_is_owed_is_told_without_names(
    lapas: Lapas,
) -> None:
    await audited(lapas)
    owed = {
        party: shown("marketplace_owed_rupiah", party=party) or 0 for party in ("pnbp", "premi")
    }
    await lapas.produce(5, 200_000, 1)
    order = await lapas.paid_order(1)
    await audited(lapas)
    assert {
        book: shown("marketplace_books_difference_rupiah", book=book)
        for book in ("LAPAS", "WBP_TRUST", "KOPERASI")
    } == {"LAPAS": 0, "WBP_TRUST": 0, "KOPERASI": 0}
    assert (
        shown("marketplace_owed_rupiah", party="pnbp"),
        shown("marketplace_owed_rupiah", party="premi"),
    ) == (owed["pnbp"] + 9_000, owed["premi"] + 30_000)
    journal = (await lapas.stored("journals", source=order["id"]))[0]
    await lapas.engine.db.bulk(
        "journals", [updating(journal["_id"], {"$inc": {"legs.0.amount_idr": 500}})]
    )
    await audited(lapas)
    assert shown("marketplace_books_difference_rupiah", book="LAPAS") == 500
