"""Unpaid orders and late money, on real servers: the gateway is asked first, a reservation is resolved once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from chassis.caller import system
from chassis.ids import new_id, utc_now
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import OperationContext
from services.marketplace.payment_simulator.usecases import PaymentSimulator
from services.marketplace.payments import payment_process
from services.marketplace.payments.rules import PaymentProviderUnreachable
from services.marketplace.transaction import Transaction
from tests.marketplace.harness import Json, Lapas, done, together

PAST_CHARGE = timedelta(minutes=18)


@pytest.fixture
async def later(lapas: Lapas) -> AsyncIterator[Lapas]:
    """The Lapas, whose service's clock a test may put forward."""
    clock = lapas.engine.clock
    yield lapas
    lapas.engine.clock = clock


def put_forward(lapas: Lapas, by: timedelta) -> None:
    lapas.engine.clock = lambda: utc_now() + by


async def sweep(lapas: Lapas) -> None:
    """One turn of the expiry job."""
    run: Runner[Transaction] = Runner(
        lapas.engine, OperationContext(caller=system("marketplace"), correlation_id=new_id())
    )
    await payment_process.close_overdue(lapas.client.app.state.payment_gateway, run)


async def charge(lapas: Lapas, order: Json) -> str:
    [stored] = await lapas.stored("sandbox_charges", _id=f"{order['id']}-1")
    return stored["transaction_status"]


@pytest.mark.scenario("M4/expiry")
async def test_an_unpaid_order_expires_after_the_gateway_was_asked_and_its_goods_come_back(
    later: Lapas,
) -> None:
    await later.produce(2, 80_000, 1)
    order = await later.order(2)
    await sweep(later)
    assert await later.state(order) == "awaiting_payment"
    put_forward(later, PAST_CHARGE)
    await sweep(later)
    assert await later.state(order) == "expired"
    assert await later.stock() == (2, 0, 0)
    [event] = await later.stored("payment_events", order_id=order["id"])
    assert event["status"] == "expired"
    movements = await later.stored("stock_movements", reference=order["id"])
    assert sorted(movement["kind"] for movement in movements) == ["expire", "reserve"]


@pytest.mark.scenario("M4/expiry")
async def test_an_overdue_order_whose_charge_is_still_open_is_cancelled_at_the_gateway(
    later: Lapas,
) -> None:
    await later.produce(1, 40_000, 1)
    order = await later.order(1)
    await later.client.app.state.life.db.update(
        "orders", {"_id": order["id"]}, {"$set": {"expires_at": utc_now() - timedelta(minutes=1)}}
    )
    await sweep(later)
    assert (await later.state(order), await charge(later, order)) == ("expired", "cancel")
    assert await later.stock() == (1, 0, 0)


@pytest.mark.scenario("M4/expiry")
async def test_an_overdue_order_that_the_gateway_says_is_paid_is_paid(later: Lapas) -> None:
    await later.produce(1, 40_000, 1)
    order = await later.order(1)
    await later.command(order, "pay_unheard")
    put_forward(later, PAST_CHARGE)
    await sweep(later)
    assert await later.state(order) == "paid"
    assert await later.stock() == (1, 0, 1)


@pytest.mark.scenario("M4/race")
@pytest.mark.scenario("INV-3/race")
async def test_expiry_racing_settlement_has_one_winner_and_the_money_is_never_lost(
    later: Lapas,
) -> None:
    await later.produce(12, 480_000, 1)
    orders = [await later.order(1) for _ in range(12)]
    for order in orders:
        await later.command(order, "pay_unheard")
    put_forward(later, PAST_CHARGE)
    await together(sweep(later), sweep(later), *(later.notify(order) for order in orders))
    states = [await later.state(order) for order in orders]
    assert states == ["paid"] * 12
    for order in orders:
        [reservation] = await later.stored("reservations", _id=order["id"])
        kinds = sorted(
            movement["kind"]
            for movement in await later.stored("stock_movements", reference=order["id"])
        )
        if reservation["state"] == "consumed":
            assert kinds == ["allocate", "reserve"]
        else:
            assert (reservation["state"], kinds) == (
                "expired",
                ["allocate_direct", "expire", "reserve"],
            )
        assert len(await later.journals(order)) == 1
    assert await later.stock() == (12, 0, 12)


@pytest.mark.scenario("INV-3/race")
async def test_cancelling_and_expiring_at_once_give_the_goods_back_once(later: Lapas) -> None:
    await later.produce(4, 160_000, 1)
    order = await later.order(4)
    put_forward(later, PAST_CHARGE)
    cancel = later.public.post(f"/v1/orders/{order['id']}/cancellation?token={order['token']}")
    _, answer, _ = await asyncio.gather(sweep(later), cancel, sweep(later))
    assert answer.status_code in {200, 409}
    assert await later.state(order) in {"expired", "cancelled"}
    assert await later.stock() == (4, 0, 0)
    assert len(await later.stored("stock_movements", reference=order["id"])) == 2


@pytest.mark.scenario("M5/continues")
async def test_money_that_comes_after_expiry_still_buys_what_is_there(later: Lapas) -> None:
    await later.produce(1, 40_000, 1)
    order = await later.order(1)
    put_forward(later, PAST_CHARGE)
    await sweep(later)
    assert (await later.command(order, "pay_late"))["answers"] == [200]
    assert await later.state(order) == "paid"
    assert await later.stock() == (1, 0, 1)
    assert len(await later.journals(order)) == 1


@pytest.mark.scenario("M5/task")
async def test_money_that_comes_after_expiry_for_goods_that_are_gone_is_owed_back_and_not_divided(
    later: Lapas,
) -> None:
    await later.produce(1, 40_000, 1)
    order = await later.order(1)
    put_forward(later, PAST_CHARGE)
    await sweep(later)
    await later.paid_order(1)
    assert (await later.command(order, "pay_late"))["answers"] == [200]
    assert await later.state(order) == "expired"
    assert await later.stock() == (1, 0, 1)
    [journal] = await later.journals(order)
    assert [(leg["account"], leg["side"], leg["amount_idr"]) for leg in journal["legs"]] == [
        ("piutang_gateway", "debit", 100_000),
        (f"utang_refund:{order['id']}", "credit", 100_000),
    ]
    assert [(task["kind"], task["subject"]) for task in await later.tasks()] == [
        ("payment_received_late", order["id"])
    ]
    assert await later.stored("outbox", key=order["id"]) == []
    split = await later.public.get(f"/v1/orders/{order['id']}/split?token={order['token']}")
    assert split.json()["code"] == "not_divided_yet"


async def test_a_cancelled_order_frees_its_goods_and_money_that_comes_anyway_is_owed_back(
    later: Lapas,
) -> None:
    await later.produce(1, 40_000, 1)
    order = await later.order(1)
    await done(later.public.post(f"/v1/orders/{order['id']}/cancellation?token={order['token']}"))
    assert (await later.state(order), await charge(later, order), await later.stock()) == (
        "cancelled",
        "cancel",
        (1, 0, 0),
    )
    await later.command(order, "pay_late")
    assert await later.state(order) == "cancelled"
    assert [task["kind"] for task in await later.tasks()] == ["payment_received_late"]
    again = await later.public.post(f"/v1/orders/{order['id']}/cancellation?token={order['token']}")
    assert (again.status_code, again.json()["code"]) == (409, "order_not_cancellable")


async def test_cancelling_an_order_that_was_paid_unheard_pays_it(later: Lapas) -> None:
    await later.produce(1, 40_000, 1)
    order = await later.order(1)
    await later.command(order, "pay_unheard")
    assert (
        await done(
            later.public.post(f"/v1/orders/{order['id']}/cancellation?token={order['token']}")
        )
    )["state"] == "paid"


async def test_nothing_expires_while_the_gateway_is_away_and_checkout_still_places_orders(
    later: Lapas, monkeypatch: pytest.MonkeyPatch
) -> None:
    await later.produce(2, 80_000, 1)
    order = await later.order(1)

    async def away(_gateway: object, *_: object) -> None:
        await asyncio.sleep(0)
        raise PaymentProviderUnreachable

    with monkeypatch.context() as outage:
        outage.setattr(PaymentSimulator, "fetch_status", away)
        outage.setattr(PaymentSimulator, "charge", away)
        waiting = await later.order(1)
        assert (waiting["state"], waiting["payment"]) == ("placed", None)
        put_forward(later, PAST_CHARGE)
        await sweep(later)
        assert await later.state(order) == "awaiting_payment"
    put_forward(later, timedelta(minutes=1))
    run: Runner[Transaction] = Runner(
        later.engine, OperationContext(caller=system("marketplace"), correlation_id=new_id())
    )
    await payment_process.open_charges(
        later.client.app.state.payment_gateway, timedelta(minutes=2), run
    )
    assert await later.state(waiting) == "awaiting_payment"
