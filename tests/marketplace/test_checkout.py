"""From a cart to a paid order, over HTTP on real servers: never oversold, everything frozen, books and split exact."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.marketplace.harness import Lapas, done, jakarta_today, made, together


@pytest.mark.scenario("M1/sale")
async def test_100_000_with_cost_40_000_is_split_to_the_rupiah_and_the_books_balance(
    lapas: Lapas,
) -> None:
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
    split = await done(lapas.public.get(f"/v1/orders/{order['id']}/split?token={order['token']}"))
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
    for step, state in (
        ("pack", "packed"),
        ("ship", "shipped"),
        ("deliver", "delivered"),
        ("complete", "completed"),
    ):
        assert (
            await done(
                lapas.as_("store_officer").post(
                    f"/v1/orders/{order['id']}/transitions", json={"step": step}
                )
            )
        )["state"] == state
    assert await lapas.stock() == (6, 0, 0)


@pytest.mark.scenario("M2")
@pytest.mark.scenario("INV-1/race")
async def test_fifty_buyers_race_for_seven_units_seven_pay_and_43_are_told_stok_habis(
    lapas: Lapas,
) -> None:
    await lapas.produce(7, 280_000, 1)
    carts = await together(*(lapas.cart(1) for _ in range(50)))
    sound = True

    async def watch() -> None:
        nonlocal sound
        while True:
            on_hand, reserved, allocated = await lapas.stock()
            sound = (
                sound and min(on_hand, reserved, allocated) >= 0 and reserved + allocated <= on_hand
            )
            await asyncio.sleep(0)

    async def buy(cart_id: str) -> tuple[int, str]:
        answer = await lapas.check_out(cart_id)
        if answer.status_code != 201:
            return answer.status_code, answer.json()["title"]
        await lapas.command(answer.json(), "pay")
        return 201, await lapas.state(answer.json())

    watcher = asyncio.create_task(watch())
    ends = await together(*(buy(cart_id) for cart_id in carts))
    watcher.cancel()
    assert ends.count((201, "paid")) == 7
    assert ends.count((409, "Stok habis")) == 43
    assert sound
    assert await lapas.stock() == (7, 0, 7)
    assert (
        len(
            await lapas.stored(
                "outbox", type="marketplace.proceeds-split.v1", facility_id=lapas.facility
            )
        )
        == 7
    )
    assert len(await lapas.stored("journals", facility_id=lapas.facility)) == 7


@pytest.mark.scenario("M3")
async def test_the_same_sku_on_two_lines_is_summed_before_it_is_reserved(lapas: Lapas) -> None:
    await lapas.produce(5, 200_000, 1)
    answer = await lapas.check_out(await lapas.cart(3, 3))
    assert (answer.status_code, answer.json()["code"], answer.json()["available"]) == (
        409,
        "stock_short",
        5,
    )
    assert await lapas.stock() == (5, 0, 0)
    assert (await lapas.order(3, 2))["total_idr"] == 500_000


@pytest.mark.scenario("INV-2/stored")
async def test_movements_reservations_and_allocations_add_up_to_the_stored_balances(
    lapas: Lapas,
) -> None:
    await lapas.produce(9, 360_000, 1)
    await lapas.order(2)
    await lapas.paid_order(3)
    shipped = await lapas.paid_order(1)
    for step in ("pack", "ship"):
        await done(
            lapas.as_("store_officer").post(
                f"/v1/orders/{shipped['id']}/transitions", json={"step": step}
            )
        )
    movements = (
        await done(lapas.as_("auditor").get(f"/v1/stock/movements?stock_id={lapas.stock_id}"))
    )["items"]
    on_hand, reserved, allocated = await lapas.stock()
    assert (on_hand, reserved, allocated) == (8, 2, 3)
    assert sum(movement["on_hand"] for movement in movements) == on_hand
    assert sum(movement["reserved"] for movement in movements) == reserved
    assert sum(movement["allocated"] for movement in movements) == allocated
    active = await lapas.stored("reservations", facility_id=lapas.facility, state="active")
    assert (
        sum(
            portion["qty"]
            for one in active
            for held in one["goods"]
            for portion in held["portions"]
        )
        == reserved
    )


@pytest.mark.scenario("INV-10")
async def test_a_later_price_cost_or_policy_changes_no_figure_of_an_order(lapas: Lapas) -> None:
    await lapas.produce(2, 80_000, 1)
    order = await lapas.order(1)
    frozen = await done(lapas.as_("store_officer").get(f"/v1/orders/{order['id']}/record"))
    await done(
        lapas.as_("store_officer").post(
            f"/v1/products/{lapas.product['id']}/prices",
            json={"sku": lapas.sku, "price_idr": 150_000},
        )
    )
    await lapas.produce(5, 300_000, 1)
    [policy] = (await done(lapas.as_("head").get("/v1/split-policies?state=active")))["items"]
    await done(
        lapas.as_("head").post(
            f"/v1/split-policies/{policy['id']}/retirement",
            json={"last_day": str(jakarta_today() - timedelta(days=1))},
        )
    )
    await lapas.agree_policy({"premi": 3500, "pnbp": 5000, "modal": 1500}, first=jakarta_today())
    await lapas.command(order, "pay")
    after = await done(lapas.as_("store_officer").get(f"/v1/orders/{order['id']}/record"))
    assert after["frozen_lines"] == frozen["frozen_lines"]
    assert (await done(lapas.public.get(f"/v1/orders/{order['id']}/split?token={order['token']}")))[
        "split"
    ]["pnbp"] == 9_000


@pytest.mark.scenario("M13/orders")
async def test_a_policy_changed_mid_month_counts_for_later_orders_only(lapas: Lapas) -> None:
    await lapas.produce(2, 80_000, 1)
    earlier = await lapas.order(1)
    [policy] = (await done(lapas.as_("head").get("/v1/split-policies?state=active")))["items"]
    await done(
        lapas.as_("head").post(
            f"/v1/split-policies/{policy['id']}/retirement",
            json={"last_day": str(jakarta_today() - timedelta(days=1))},
        )
    )
    await lapas.agree_policy({"premi": 3500, "pnbp": 5000, "modal": 1500}, first=jakarta_today())
    later = await lapas.order(1)
    splits = [
        (await done(lapas.public.get(f"/v1/orders/{order['id']}/split?token={order['token']}")))[
            "split"
        ]
        for order in (earlier, later)
        if await lapas.command(order, "pay")
    ]
    assert [split["premi"] for split in splits] == [30_000, 21_000]
    assert [split["pnbp"] for split in splits] == [9_000, 30_000]


async def test_a_price_that_changed_since_the_cart_is_shown_and_not_applied(lapas: Lapas) -> None:
    await lapas.produce(1, 40_000, 1)
    cart_id = await lapas.cart(1)
    await done(
        lapas.as_("store_officer").post(
            f"/v1/products/{lapas.product['id']}/prices",
            json={"sku": lapas.sku, "price_idr": 120_000},
        )
    )
    answer = await lapas.check_out(cart_id)
    assert (answer.status_code, answer.json()["code"], answer.json()["price_idr"]) == (
        409,
        "price_changed",
        120_000,
    )
    refilled = await done(
        lapas.public.request(
            "PUT", f"/v1/carts/{cart_id}", json={"lines": [{"sku": lapas.sku, "qty": 1}]}
        )
    )
    assert refilled["total_idr"] == 120_000
    assert (await made(lapas.check_out(cart_id)))["total_idr"] == 120_000


async def test_a_repeated_checkout_with_one_key_places_one_order_and_answers_alike(
    lapas: Lapas,
) -> None:
    await lapas.produce(3, 120_000, 1)
    contact = {"name": "Pembeli Contoh", "phone": "0812", "address": "Jalan Contoh 1"}
    body = {"cart_id": await lapas.cart(1), "contact": contact}
    answers = await together(
        *(
            lapas.public.post("/v1/checkout", json=body, headers={"idempotency-key": "satu"})
            for _ in range(5)
        )
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len({answer.json()["token"] for answer in answers}) == 1
    assert await lapas.stock() == (3, 1, 0)


async def test_a_cart_is_ordered_once(lapas: Lapas) -> None:
    await lapas.produce(3, 120_000, 1)
    cart_id = await lapas.cart(1)
    answers = await together(*(lapas.check_out(cart_id) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 404, 404, 404]
    assert await lapas.stock() == (3, 1, 0)


async def test_a_sale_from_two_batches_pays_those_who_made_each_and_takes_the_older_first(
    lapas: Lapas,
) -> None:
    await lapas.employ(1, 1)
    await lapas.produce(2, 80_000, 4, 0)
    await lapas.produce(2, 60_000, 1, 3)
    order = await lapas.paid_order(3)
    [journal] = await lapas.journals(order)
    legs = {leg["account"]: leg["amount_idr"] for leg in journal["legs"]}
    assert legs["biaya_produksi"] == 110_000
    assert legs[f"utang_premi:{lapas.people[0]}"] + legs[f"utang_premi:{lapas.people[1]}"] == 95_000
    assert legs[f"utang_premi:{lapas.people[0]}"] == 63_333 + 7_917


async def test_an_order_is_seen_by_its_token_only(lapas: Lapas) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    wrong = order["token"][:-1] + ("A" if order["token"][-1] != "A" else "B")
    for path in (f"/v1/orders/{order['id']}", f"/v1/orders/{order['id']}/split"):
        answer = await lapas.public.get(f"{path}?token={wrong}")
        assert (answer.status_code, answer.json()["code"]) == (404, "order_unknown")
    unpaid = await lapas.public.get(f"/v1/orders/{order['id']}/split?token={order['token']}")
    assert (unpaid.status_code, unpaid.json()["code"]) == (404, "not_divided_yet")


async def test_a_cart_of_two_lapas_is_refused(lapas: Lapas) -> None:
    other = Lapas(lapas.client)
    await other.open_workshop()
    lines = [{"sku": lapas.sku, "qty": 1}, {"sku": other.sku, "qty": 1}]
    answer = await lapas.public.post("/v1/carts", json={"lines": lines})
    assert (answer.status_code, answer.json()["code"]) == (422, "cart_of_several_sellers")


async def test_without_a_policy_in_effect_nothing_is_sold(lapas: Lapas) -> None:
    await lapas.produce(1, 40_000, 1)
    [policy] = (await done(lapas.as_("head").get("/v1/split-policies?state=active")))["items"]
    await done(
        lapas.as_("head").post(
            f"/v1/split-policies/{policy['id']}/retirement",
            json={"last_day": str(jakarta_today() - timedelta(days=1))},
        )
    )
    answer = await lapas.check_out(await lapas.cart(1))
    assert (answer.status_code, answer.json()["code"]) == (409, "no_policy_in_effect")
    assert await lapas.stock() == (1, 0, 0)
