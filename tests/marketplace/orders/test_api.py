"""Orders over HTTP: tokens, frozen terms, audited contacts."""

from __future__ import annotations

import pytest

from tests.marketplace.harness import Json, LapasHarness, jakarta_today, ok, together

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
    assert (answer.status_code, answer.json()["current_version"]) == (412, 3)
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


async def test_an_order_is_read_with_its_token_in_a_header(lapas: LapasHarness) -> None:
    await lapas.produce(2, 80_000, 1)
    order = await lapas.paid_order(1)
    for path in (f"/v1/orders/{order['id']}", f"/v1/orders/{order['id']}/split"):
        answer = await lapas.public.get(path, headers={"order-token": order["token"]})
        assert answer.status_code == 200
        wrong = {"order-token": "A" * 22}
        answer = await lapas.public.get(f"{path}?token={order['token']}", headers=wrong)
        assert answer.status_code == 404
        answer = await lapas.public.get(path)
        assert (answer.status_code, answer.json()["code"]) == (422, "token_missing")


async def test_an_order_of_thirteen_digits_is_refused_at_checkout(lapas: LapasHarness) -> None:
    """Providers report at most twelve; the order could never be paid."""
    await lapas.produce(4, 160_000, 1)
    await lapas.set_price(999_999_999_999)
    answer = await lapas.check_out(await lapas.cart(2))
    assert (answer.status_code, answer.json()["code"]) == (422, "order_too_large")
    assert await lapas.stock() == (4, 0, 0)
    order = await lapas.order(1)
    assert (await lapas.command(order, "pay"))["answers"] == [200]
    assert await lapas.state(order) == "paid"


ONE_PHONE = ("0812 3456 789", "+62 812-3456-789", "62812.3456.789", "00628123456789")


def buyer(phone: str = "", email: str = "") -> Json:
    """Return a contact."""
    return {"name": "n", "phone": phone, "email": email, "address": "a"}


async def test_a_contact_has_at_most_three_unpaid_orders_in_any_spelling(
    lapas: LapasHarness,
) -> None:
    await lapas.produce(20, 800_000, 1)
    placed: list[Json] = []
    for phone in ONE_PHONE[:3]:
        answer = await lapas.check_out(await lapas.cart(1), buyer(phone))
        assert answer.status_code == 201
        placed.append(answer.json())
    fourth = await lapas.check_out(await lapas.cart(1), buyer(ONE_PHONE[3]))
    assert (fourth.status_code, fourth.json()["code"]) == (409, "too_many_unpaid_orders")
    assert await lapas.stock() == (20, 3, 0)
    await ok(lapas.start_attempt(placed[0]))
    await lapas.command(placed[0], "pay")
    await ok(lapas.cancel(placed[1]))
    for _ in range(2):
        answer = await lapas.check_out(await lapas.cart(1), buyer(ONE_PHONE[3]))
        assert answer.status_code == 201
    again = await lapas.check_out(await lapas.cart(1), buyer(ONE_PHONE[0]))
    assert again.status_code == 409


async def test_checkouts_of_one_contact_at_once_leave_at_most_three(lapas: LapasHarness) -> None:
    await lapas.produce(40, 1_600_000, 1)
    carts = [await lapas.cart(1) for _ in range(8)]
    email = buyer(email=f"Pembeli+{lapas.facility}@contoh.id")
    answers = await together(*(lapas.check_out(cart, email) for cart in carts))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 5


async def test_a_contact_holds_at_most_half_of_what_is_available(lapas: LapasHarness) -> None:
    await lapas.produce(9, 360_000, 1)
    contact = buyer(email=f"{lapas.facility}@contoh.id")
    all_goods = await lapas.check_out(await lapas.cart(9), contact)
    assert (all_goods.status_code, all_goods.json()["code"]) == (409, "holds_too_much")
    assert all_goods.json()["limit"] == 5
    for qty, status in ((3, 201), (3, 409), (2, 201), (1, 409)):
        answer = await lapas.check_out(await lapas.cart(qty), contact)
        assert answer.status_code == status, qty
    assert await lapas.stock() == (9, 5, 0)
