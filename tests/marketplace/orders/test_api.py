"""Orders over HTTP: tokens, frozen terms, audited contacts."""

from __future__ import annotations

import pytest

from tests.marketplace.harness import LapasHarness, jakarta_today

OTHER_SHARES = {"premi": 3500, "pnbp": 5000, "modal": 1500}


async def test_reading_the_contact_of_a_buyer_is_audited(lapas: LapasHarness) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    record = await lapas.record(order)
    assert record["contact"]["name"] == "Pembeli Contoh"
    [row] = await lapas.stored("audit", action="orders.read", subject=order["id"])
    assert row["actor"] == f"store_officer-{lapas.facility}"


async def test_an_order_is_read_with_its_token_only(lapas: LapasHarness) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    last = "A" if order["token"][-1] != "A" else "B"
    wrong_token = order["token"][:-1] + last
    for path in (f"/v1/orders/{order['id']}", f"/v1/orders/{order['id']}/split"):
        answer = await lapas.public.get(f"{path}?token={wrong_token}")
        assert (answer.status_code, answer.json()["code"]) == (404, "order_unknown")


async def test_an_unpaid_order_is_not_divided_yet(lapas: LapasHarness) -> None:
    await lapas.produce(1, 40_000, 1)
    answer = await lapas.split(await lapas.order(1))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_divided_yet")


async def test_an_order_cancelled_at_an_older_version_is_412(lapas: LapasHarness) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    path = f"/v1/orders/{order['id']}/cancellation?token={order['token']}"
    answer = await lapas.public.post(path, headers={"if-match": '"1"'})
    assert (answer.status_code, answer.json()["current_version"]) == (412, 2)
    assert await lapas.state(order) == "awaiting_payment"


@pytest.mark.scenario("INV-10")
async def test_a_later_price_cost_or_policy_changes_no_figure_of_an_order(
    lapas: LapasHarness,
) -> None:
    await lapas.produce(2, 80_000, 1)
    order = await lapas.order(1)
    frozen = await lapas.record(order)
    await lapas.set_price(150_000)
    await lapas.produce(5, 300_000, 1)
    await lapas.end_policy_yesterday()
    await lapas.agree_policy(OTHER_SHARES, first=jakarta_today())
    await lapas.command(order, "pay")
    after = await lapas.record(order)
    assert after["frozen_lines"] == frozen["frozen_lines"]
    assert (await lapas.split(order)).json()["split"]["pnbp"] == 9_000


@pytest.mark.scenario("M13/orders")
async def test_a_policy_changed_mid_month_counts_for_later_orders_only(lapas: LapasHarness) -> None:
    await lapas.produce(2, 80_000, 1)
    earlier = await lapas.order(1)
    await lapas.end_policy_yesterday()
    await lapas.agree_policy(OTHER_SHARES, first=jakarta_today())
    later = await lapas.order(1)
    for order in (earlier, later):
        await lapas.command(order, "pay")
    splits = [(await lapas.split(order)).json()["split"] for order in (earlier, later)]
    assert [split["premi"] for split in splits] == [30_000, 21_000]
    assert [split["pnbp"] for split in splits] == [9_000, 30_000]
