"""Reversals of payments on real servers, and the books after them."""

from __future__ import annotations

import json

import pytest

from tests.marketplace.harness import LapasHarness, jakarta_today, together

OTHER_SIDE = {"debit": "credit", "credit": "debit"}


@pytest.mark.scenario("M9/unshipped")
async def test_a_denial_after_settlement_reverses_every_leg_and_frees_goods(
    lapas: LapasHarness,
) -> None:
    await lapas.produce(3, 120_000, 2, 1)
    order = await lapas.paid_order(2)
    assert (await lapas.command(order, "deny"))["answers"] == [200]
    assert await lapas.state(order) == "payment_reversed"
    assert await lapas.stock() == (3, 0, 0)
    journals = sorted(await lapas.journals(order), key=lambda journal: bool(journal["reverses"]))
    sale, reversal = journals
    assert reversal["reverses"] == sale["id"]
    assert [
        (leg["account"], OTHER_SIDE[leg["side"]], leg["amount_idr"]) for leg in reversal["legs"]
    ] == [(leg["account"], leg["side"], leg["amount_idr"]) for leg in sale["legs"]]
    balances = await lapas.balances()
    assert {balances[name] for name in ("piutang_gateway", "utang_premi", "utang_pnbp")} == {0}


@pytest.mark.scenario("M9/unshipped")
async def test_a_reversal_publishes_once_what_the_split_published(lapas: LapasHarness) -> None:
    await lapas.produce(3, 120_000, 2, 1)
    order = await lapas.paid_order(2)
    for _ in range(2):
        await lapas.command(order, "deny")
    rows = await lapas.stored("outbox", key=order["id"])
    split, reversed_split = sorted(rows, key=lambda row: row["seq"])
    assert reversed_split["type"] == "marketplace.proceeds-split-reversed.v1"
    body = json.loads(reversed_split["body"])
    assert body.pop("reversal_id")
    assert body.pop("reversed_on") == f"{jakarta_today()}"
    assert body == json.loads(split["body"])


@pytest.mark.scenario("M9/unshipped")
async def test_a_repeated_denial_reverses_nothing_again(lapas: LapasHarness) -> None:
    await lapas.produce(3, 120_000, 2, 1)
    order = await lapas.paid_order(2)
    await lapas.command(order, "deny")
    assert (await lapas.command(order, "deny"))["answers"] == [200]
    assert len(await lapas.journals(order)) == 2


@pytest.mark.scenario("M9/shipped")
async def test_a_denial_after_shipping_leaves_the_order_and_the_buyer_owes(
    lapas: LapasHarness,
) -> None:
    await lapas.produce(1, 40_000, 2, 1)
    order = await lapas.paid_order(1)
    await lapas.advance(order, "pack", "ship")
    expected = await lapas.balances()
    await lapas.command(order, "deny")
    assert await lapas.state(order) == "shipped"
    [row] = await lapas.stored("outbox", key=order["id"])
    assert row["type"] == "marketplace.proceeds-split.v1"
    expected["piutang_gateway"] = 0
    expected["piutang_pembeli"] = 100_000
    assert await lapas.balances() == expected
    assert [task["kind"] for task in await lapas.tasks()] == ["payment_reversed_after_shipping"]


@pytest.mark.scenario("INV-4/stored")
async def test_the_books_balance_and_stored_journals_never_change(lapas: LapasHarness) -> None:
    await lapas.produce(6, 240_001, 3, 1)
    orders = [await lapas.paid_order(1) for _ in range(3)]
    sales = await lapas.stored("journals", facility_id=lapas.facility)
    await lapas.command(orders[0], "deny")
    await together(*(lapas.command(order, "duplicate") for order in orders))
    journals = await lapas.stored("journals", facility_id=lapas.facility)
    for journal in journals:
        amounts = {"debit": 0, "credit": 0}
        for leg in journal["legs"]:
            amounts[leg["side"]] += leg["amount_idr"]
            assert leg["amount_idr"] > 0
        assert amounts["debit"] == amounts["credit"]
        assert journal["version"] == 1
    not_reversals = [journal for journal in journals if not journal["reverses"]]
    assert sorted(not_reversals, key=lambda journal: journal["_id"]) == sorted(
        sales, key=lambda journal: journal["_id"]
    )
    await lapas.balances()
