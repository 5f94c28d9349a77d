"""Several attempts to pay one order on real servers: one pays, each other is owed back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from chassis.ids import utc_now
from services.marketplace.payment_simulator.usecases import PaymentSimulator
from services.marketplace.payments import payment_process
from services.marketplace.refunds.rules import REFUND_AFTER
from tests.marketplace.harness import Json, LapasHarness, created, if_match, ok, together

PAST_HOLD = timedelta(minutes=6)


@pytest.fixture
async def later(lapas: LapasHarness) -> AsyncIterator[LapasHarness]:
    """Yield the Lapas; a test may advance the clock of its service."""
    clock = lapas.engine.clock
    yield lapas
    lapas.engine.clock = clock


async def switch_to_va(lapas: LapasHarness, order: Json) -> Json:
    """Start a second attempt by virtual account."""
    return order | await ok(lapas.start_attempt(order, "va"))


async def run_job(lapas: LapasHarness, job: str) -> None:
    """Run a job of the payments once."""
    factory = lapas.client.app.state.payment_provider_factory
    await getattr(payment_process, job)(factory, lapas.runner())


async def check_second_is_owed_back(lapas: LapasHarness, order: Json) -> None:
    """Check that one settlement paid, one split exists, and the other is owed back once."""
    assert await lapas.state(order) == "paid"
    assert await lapas.stock() == (3, 0, 1)
    received = [j for j in await lapas.journals(order) if j["id"].startswith("received:")]
    assert [[leg["account"], leg["amount_idr"]] for leg in received[0]["legs"]] == [
        ["piutang_gateway", 100_000],
        [f"utang_refund:{order['id']}", 100_000],
    ]
    assert len(received) == 1
    assert len(await lapas.stored("outbox", key=order["id"])) == 1
    assert (await lapas.balances())["piutang_gateway"] == 200_000
    [task] = await lapas.tasks()
    assert (task["kind"], task["subject"]) == ("payment_received_twice", order["id"])


async def test_a_placed_order_has_no_charge_until_its_payment_page_is_opened(
    lapas: LapasHarness,
) -> None:
    await lapas.produce(2, 80_000, 1)
    placed = await lapas.place(1)
    assert (placed["state"], placed["payment"]) == ("placed", None)
    opened = await ok(lapas.start_attempt(placed))
    assert (opened["state"], opened["payment"]["method"]) == ("awaiting_payment", "qris")


async def test_goods_are_held_five_minutes_until_the_payment_page_is_opened(
    later: LapasHarness,
) -> None:
    await later.produce(4, 160_000, 1)
    placed = await later.place(1)
    opened = await later.order(1)
    later.engine.clock = lambda: utc_now() + PAST_HOLD
    await run_job(later, "close_overdue")
    assert [await later.state(placed), await later.state(opened)] == ["expired", "awaiting_payment"]
    assert await later.stock() == (4, 1, 0)


async def test_a_job_opens_no_charge_that_no_buyer_asked_for(later: LapasHarness) -> None:
    await later.produce(1, 40_000, 1)
    placed = await later.place(1)
    later.engine.clock = lambda: utc_now() + timedelta(minutes=1)
    await run_job(later, "open_charges")
    assert await later.state(placed) == "placed"


async def test_a_second_attempt_closes_the_first_charge_and_opens_another(
    lapas: LapasHarness,
) -> None:
    await lapas.produce(3, 120_000, 1)
    order = await switch_to_va(lapas, await lapas.order(1))
    assert (order["state"], order["payment"]["order_ref"]) == (
        "awaiting_payment",
        f"{order['id']}-2",
    )
    assert (order["payment"]["method"], order["payment"]["va_bank"]) == ("va", "bri")
    assert (order["payment"]["qr_string"], len(order["payment"]["va_number"])) == ("", 13)
    [first] = await lapas.stored("sandbox_charges", _id=f"{order['id']}-1")
    assert first["transaction_status"] == "cancel"
    assert await lapas.stock() == (3, 1, 0)
    assert (await lapas.command(order, "pay", attempt=2))["answers"] == [200]
    assert await lapas.state(order) == "paid"


@pytest.mark.scenario("M30")
async def test_an_attempt_while_the_former_is_open_is_refused(
    lapas: LapasHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lapas.produce(3, 120_000, 1)
    order = await lapas.order(1)
    with monkeypatch.context() as patched:
        patched.setattr(PaymentSimulator, "cancel", PaymentSimulator.fetch_status)
        answer = await lapas.start_attempt(order, "va")
    assert (answer.status_code, answer.json()["code"]) == (409, "attempt_still_open")
    current = order | await lapas.read(order)
    assert current["payment"]["order_ref"] == f"{order['id']}-1"
    assert (await lapas.command(current, "pay"))["answers"] == [200]
    assert await lapas.state(order) == "paid"


@pytest.mark.scenario("M30")
@pytest.mark.parametrize("attempts", [(1, 2), (2, 1)])
async def test_two_attempts_that_settle_pay_once_in_either_order(
    lapas: LapasHarness, attempts: tuple[int, int]
) -> None:
    await lapas.produce(3, 120_000, 1)
    order = await switch_to_va(lapas, await lapas.order(1))
    for attempt in attempts:
        assert (await lapas.command(order, "pay_late", attempt))["answers"] == [200]
    await check_second_is_owed_back(lapas, order)


@pytest.mark.scenario("M30")
async def test_two_attempts_that_settle_at_once_pay_once(lapas: LapasHarness) -> None:
    await lapas.produce(3, 120_000, 1)
    order = await switch_to_va(lapas, await lapas.order(1))
    await together(*(lapas.command(order, "pay_late", attempt) for attempt in (1, 2)))
    await check_second_is_owed_back(lapas, order)


@pytest.mark.scenario("M30")
async def test_the_second_settlement_is_refunded_by_the_provider_once(
    later: LapasHarness,
) -> None:
    await later.produce(3, 120_000, 1)
    order = await switch_to_va(later, await later.order(1))
    for attempt in (2, 1):
        await later.command(order, "pay_late", attempt)
    await run_job(later, "send_refunds")
    [charge] = await later.stored("sandbox_charges", _id=f"{order['id']}-1")
    assert charge["refunds"] == []
    later.engine.clock = lambda: utc_now() + REFUND_AFTER + timedelta(minutes=1)
    await together(*(run_job(later, "send_refunds") for _ in range(3)))
    await run_job(later, "send_refunds")
    [charge] = await later.stored("sandbox_charges", _id=f"{order['id']}-1")
    assert [refund["amount_idr"] for refund in charge["refunds"]] == [100_000]
    balances = await later.balances()
    assert (balances["piutang_gateway"], balances["utang_refund"]) == (100_000, 0)
    [refund] = await later.stored("owed_refunds", order_id=order["id"])
    assert (refund["state"], refund["returned_idr"]) == ("returned", 100_000)
    assert await later.state(order) == "paid"


async def test_a_refund_that_the_provider_refuses_becomes_a_task(later: LapasHarness) -> None:
    await later.produce(3, 120_000, 1)
    order = await switch_to_va(later, await later.order(1))
    for attempt in (2, 1):
        await later.command(order, "pay_late", attempt)
    await later.update_stored(
        "sandbox_charges", f"{order['id']}-1", transaction_status="chargeback"
    )
    later.engine.clock = lambda: utc_now() + REFUND_AFTER + timedelta(minutes=1)
    await run_job(later, "send_refunds")
    kinds = {task["kind"] for task in await later.tasks()}
    assert kinds == {"payment_received_twice", "refund_refused_by_gateway"}


async def test_an_order_has_at_most_three_attempts(lapas: LapasHarness) -> None:
    await lapas.produce(3, 120_000, 1)
    order = await lapas.order(1)
    for method in ("va", "qris"):
        order |= await ok(lapas.start_attempt(order, method))
    answer = await lapas.start_attempt(order, "va")
    assert (answer.status_code, answer.json()["code"]) == (409, "attempts_exhausted")


async def test_an_attempt_repeated_under_one_key_opens_one_charge(lapas: LapasHarness) -> None:
    await lapas.produce(3, 120_000, 1)
    order = await lapas.order(1)
    path = f"/v1/orders/{order['id']}/payment-attempts"
    headers = if_match(order) | {"order-token": order["token"], "idempotency-key": "satu"}
    asks = [lapas.public.post(path, json={"method": "va"}, headers=headers) for _ in range(2)]
    bodies = [await ok(ask) for ask in asks]
    assert {body["payment"]["order_ref"] for body in bodies} == {f"{order['id']}-2"}


async def test_a_cancellation_repeated_under_one_key_is_answered_alike(
    lapas: LapasHarness,
) -> None:
    """The key counts within the order: another buyer may use the same one."""
    await lapas.produce(6, 240_000, 1)
    for order in [await lapas.order(1), await lapas.order(1)]:
        path = f"/v1/orders/{order['id']}/cancellation"
        headers = if_match(order) | {"order-token": order["token"], "idempotency-key": "1"}
        for _ in range(2):
            answer = await ok(lapas.public.post(path, headers=headers))
            assert answer["state"] == "cancelled"
    assert await lapas.stock() == (6, 0, 0)


async def test_two_buyers_check_out_with_the_same_key(lapas: LapasHarness) -> None:
    await lapas.produce(6, 240_000, 1)
    key = {"idempotency-key": "1"}
    lines = {"lines": [{"sku": lapas.sku, "qty": 1}]}
    carts = [
        await created(lapas.public.post("/v1/carts", json=lines, headers=key)) for _ in range(2)
    ]
    assert carts[0]["id"] != carts[1]["id"]
    for number, cart in enumerate(carts):
        contact = {"name": "n", "phone": f"08120000{number}", "address": "a"}
        body = {"cart_id": cart["id"], "contact": contact}
        await created(lapas.public.post("/v1/checkout", json=body, headers=key))
    assert await lapas.stock() == (6, 2, 0)
