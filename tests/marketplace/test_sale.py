"""From a cart to a paid order on real servers: never oversold, books and split exact."""

from __future__ import annotations

import asyncio

import pytest

from tests.marketplace.factories import CONTACT
from tests.marketplace.harness import LapasHarness, ok, together

UNSHIPPED = frozenset({"paid", "packed"})


@pytest.mark.scenario("M1/sale")
async def test_a_sale_is_split_to_the_rupiah_and_the_books_balance(lapas: LapasHarness) -> None:
    """100,000 with cost 40,000 under 50/15/35 net of cost, as in the service's README."""
    await lapas.produce(7, 280_000, 2, 1)
    order = await lapas.paid_order(1)
    [journal] = await lapas.journals(order)
    legs = {leg["account"]: (leg["side"], leg["amount_idr"]) for leg in journal["legs"]}
    assert legs == {
        "piutang_gateway": ("debit", 100_000),
        "biaya_produksi": ("credit", 40_000),
        f"utang_premi:{lapas.people[0]}": ("credit", 20_000),
        f"utang_premi:{lapas.people[1]}": ("credit", 10_000),
        "utang_pnbp": ("credit", 9_000),
        "dana_modal_produksi": ("credit", 21_000),
    }
    split = (await lapas.split(order)).json()
    assert split["split"] == {
        "biaya_produksi": 40_000,
        "premi": 30_000,
        "pnbp": 9_000,
        "modal": 21_000,
    }
    assert split["terms"][0]["notice"] == "Pembagian ini menunggu kepastian hukum."
    assert (await lapas.balances())["piutang_gateway"] == 100_000
    assert await lapas.stock() == (7, 0, 1)
    [row] = await lapas.stored("outbox", key=order["id"])
    assert row["type"] == "marketplace.proceeds-split.v1"


@pytest.mark.scenario("M1/sale")
async def test_a_paid_order_is_packed_shipped_delivered_and_completed(lapas: LapasHarness) -> None:
    await lapas.produce(7, 280_000, 2, 1)
    order = await lapas.paid_order(1)
    for step, state in (
        ("pack", "packed"),
        ("ship", "shipped"),
        ("deliver", "delivered"),
        ("complete", "completed"),
    ):
        assert (await lapas.advance(order, step))["state"] == state
    assert await lapas.stock() == (6, 0, 0)


@pytest.mark.scenario("M2")
@pytest.mark.scenario("INV-1/race")
async def test_of_fifty_buyers_of_seven_units_seven_pay_and_43_get_stok_habis(
    lapas: LapasHarness,
) -> None:
    await lapas.produce(7, 280_000, 1)
    carts = await together(*(lapas.cart(1) for _ in range(50)))
    oversold: list[tuple[int, int, int]] = []

    async def watch_stock() -> None:
        while True:
            on_hand, reserved, allocated = await lapas.stock()
            if min(on_hand, reserved, allocated) < 0 or reserved + allocated > on_hand:
                oversold.append((on_hand, reserved, allocated))
            await asyncio.sleep(0)

    async def buy(cart_id: str) -> tuple[int, str]:
        answer = await lapas.check_out(cart_id)
        if answer.status_code != 201:
            return answer.status_code, answer.json()["title"]
        assert (await lapas.start_attempt(answer.json())).status_code == 200
        await lapas.command(answer.json(), "pay")
        return 201, await lapas.state(answer.json())

    watcher = asyncio.create_task(watch_stock())
    results = await together(*(buy(cart_id) for cart_id in carts))
    watcher.cancel()
    assert results.count((201, "paid")) == 7
    assert results.count((409, "Stok habis")) == 43
    assert oversold == []
    assert await lapas.stock() == (7, 0, 7)
    events = await lapas.stored(
        "outbox", type="marketplace.proceeds-split.v1", facility_id=lapas.facility
    )
    assert len(events) == 7
    journals = await lapas.stored("journals", facility_id=lapas.facility)
    assert len([journal for journal in journals if journal["_id"].startswith("sale:")]) == 7


@pytest.mark.scenario("M3")
async def test_the_same_sku_on_two_lines_is_summed_before_it_is_reserved(
    lapas: LapasHarness,
) -> None:
    await lapas.produce(5, 200_000, 1)
    answer = await lapas.check_out(await lapas.cart(3, 3))
    assert (answer.status_code, answer.json()["code"], answer.json()["available"]) == (
        409,
        "stock_short",
        5,
    )
    assert answer.json()["detail"] == "Stok tidak cukup; tersisa 5."
    assert await lapas.stock() == (5, 0, 0)
    assert (await lapas.order(2, 1))["total_idr"] == 300_000


@pytest.mark.scenario("INV-2/stored")
async def test_movements_and_reservations_sum_to_the_stored_balances(lapas: LapasHarness) -> None:
    await lapas.produce(9, 360_000, 1)
    await lapas.order(2)
    await lapas.paid_order(2)
    await lapas.advance(await lapas.paid_order(1), "pack")
    await lapas.advance(await lapas.paid_order(1), "pack", "ship")
    path = f"/v1/stock/movements?stock_id={lapas.stock_id}"
    movements = (await ok(lapas.as_("auditor").get(path)))["items"]
    on_hand, reserved, allocated = await lapas.stock()
    assert (on_hand, reserved, allocated) == (8, 2, 3)
    assert sum(movement["on_hand"] for movement in movements) == on_hand
    assert sum(movement["reserved"] for movement in movements) == reserved
    assert sum(movement["allocated"] for movement in movements) == allocated
    active = await lapas.stored("reservations", facility_id=lapas.facility, state="active")
    goods = [held for reservation in active for held in reservation["goods"]]
    portions = [portion for held in goods for portion in held["portions"]]
    assert sum(portion["qty"] for portion in portions) == reserved
    orders = await lapas.stored("orders", facility_id=lapas.facility)
    unshipped = [order for order in orders if order["state"] in UNSHIPPED]
    assert {order["state"] for order in unshipped} == UNSHIPPED
    lines = [line for order in unshipped for line in order["lines"]]
    assert sum(line["qty"] for line in lines) == allocated
    in_lines = [portion for line in lines for portion in line["portions"]]
    assert sum(portion["qty"] for portion in in_lines) == allocated


async def test_checkouts_with_one_idempotency_key_place_one_order(lapas: LapasHarness) -> None:
    await lapas.produce(3, 120_000, 1)
    body = {"cart_id": await lapas.cart(1), "contact": CONTACT}
    key = {"idempotency-key": "satu"}
    checkouts = [lapas.public.post("/v1/checkout", json=body, headers=key) for _ in range(5)]
    answers = await together(*checkouts)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len({answer.json()["token"] for answer in answers}) == 1
    assert await lapas.stock() == (3, 1, 0)


async def test_a_sale_from_two_batches_pays_the_makers_of_each(lapas: LapasHarness) -> None:
    """The older batch is sold first."""
    await lapas.employ(1, 1)
    await lapas.produce(2, 80_000, 4, 0)
    await lapas.produce(4, 120_000, 1, 3)
    order = await lapas.paid_order(3)
    [journal] = await lapas.journals(order)
    legs = {leg["account"]: leg["amount_idr"] for leg in journal["legs"]}
    first, second = (legs[f"utang_premi:{person}"] for person in lapas.people)
    assert legs["biaya_produksi"] == 110_000
    assert first + second == 95_000
    assert first == 63_333 + 7_917


async def test_without_a_policy_in_effect_nothing_is_sold(lapas: LapasHarness) -> None:
    await lapas.produce(1, 40_000, 1)
    await lapas.end_policy_yesterday()
    answer = await lapas.check_out(await lapas.cart(1))
    assert (answer.status_code, answer.json()["code"]) == (409, "no_policy_in_effect")
    assert await lapas.stock() == (1, 0, 0)
