"""Unpaid orders and late money on real servers: the provider is queried first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from chassis.ids import utc_now
from services.marketplace.payment_simulator.usecases import PaymentSimulator
from services.marketplace.payments import payment_process
from services.marketplace.payments.rules import PaymentProviderUnreachable
from tests.marketplace.harness import Json, LapasHarness, ok, together

PAST_CHARGE = timedelta(minutes=18)


@pytest.fixture
async def later(lapas: LapasHarness) -> AsyncIterator[LapasHarness]:
    """Yield the Lapas; a test may advance the clock of its service."""
    clock = lapas.engine.clock
    yield lapas
    lapas.engine.clock = clock


def advance_clock(lapas: LapasHarness, by: timedelta) -> None:
    """Set the clock of the service to this long after now."""
    lapas.engine.clock = lambda: utc_now() + by


def provider_factory(lapas: LapasHarness) -> payment_process.PaymentProviderFactory:
    """Return the provider factory of the service."""
    return lapas.client.app.state.payment_provider_factory


async def close_overdue(lapas: LapasHarness) -> None:
    """Run the job that closes overdue orders once."""
    await payment_process.close_overdue(provider_factory(lapas), lapas.runner())


async def charge_status(lapas: LapasHarness, order: Json) -> str:
    """Return the status of the charge of an order at the provider."""
    [stored] = await lapas.stored("sandbox_charges", _id=f"{order['id']}-1")
    return stored["transaction_status"]


async def movement_kinds(lapas: LapasHarness, order: Json) -> list[str]:
    """Return the kinds of the stock movements of an order, sorted."""
    movements = await lapas.stored("stock_movements", reference=order["id"])
    return sorted(movement["kind"] for movement in movements)


async def expire_order(lapas: LapasHarness, qty: int = 1) -> Json:
    """Return an order that has expired unpaid."""
    order = await lapas.order(qty)
    advance_clock(lapas, PAST_CHARGE)
    await close_overdue(lapas)
    assert await lapas.state(order) == "expired"
    return order


@pytest.mark.scenario("M4/expiry")
async def test_an_unpaid_order_expires_and_its_goods_are_released(later: LapasHarness) -> None:
    await later.produce(4, 160_000, 1)
    order = await later.order(2)
    await close_overdue(later)
    assert await later.state(order) == "awaiting_payment"
    advance_clock(later, PAST_CHARGE)
    await close_overdue(later)
    assert await later.state(order) == "expired"
    assert await later.stock() == (4, 0, 0)
    [event] = await later.stored("payment_events", order_id=order["id"])
    assert event["status"] == "expired"
    assert await movement_kinds(later, order) == ["expire", "reserve"]


@pytest.mark.scenario("M4/expiry")
async def test_an_open_charge_of_an_overdue_order_is_cancelled(later: LapasHarness) -> None:
    await later.produce(1, 40_000, 1)
    order = await later.order(1)
    await later.update_stored("orders", order["id"], expires_at=utc_now() - timedelta(minutes=1))
    await close_overdue(later)
    assert (await later.state(order), await charge_status(later, order)) == ("expired", "cancel")
    assert await later.stock() == (1, 0, 0)


@pytest.mark.scenario("M4/expiry")
async def test_an_overdue_order_that_the_provider_reports_as_paid_is_paid(
    later: LapasHarness,
) -> None:
    await later.produce(1, 40_000, 1)
    order = await later.order(1)
    await later.command(order, "pay_unheard")
    advance_clock(later, PAST_CHARGE)
    await close_overdue(later)
    assert await later.state(order) == "paid"
    assert await later.stock() == (1, 0, 1)


@pytest.mark.scenario("M4/race")
@pytest.mark.scenario("INV-3/race")
async def test_expiry_racing_settlement_never_loses_the_money(later: LapasHarness) -> None:
    """Each order is paid, from its reservation or from what is available after its expiry."""
    await later.produce(12, 480_000, 1)
    orders = [await later.order(1) for _ in range(12)]
    for order in orders:
        await later.command(order, "pay_unheard")
    advance_clock(later, PAST_CHARGE)
    notifications = [later.notify(order) for order in orders]
    await together(close_overdue(later), close_overdue(later), *notifications)
    for order in orders:
        assert await later.state(order) == "paid"
        [reservation] = await later.stored("reservations", _id=order["id"])
        expected = ["allocate", "reserve"]
        if reservation["state"] != "consumed":
            assert reservation["state"] == "expired"
            expected = ["allocate_direct", "expire", "reserve"]
        assert await movement_kinds(later, order) == expected
        assert len(await later.journals(order)) == 1
    assert await later.stock() == (12, 0, 12)


@pytest.mark.scenario("INV-3/race")
async def test_cancelling_and_expiring_at_once_release_the_goods_once(later: LapasHarness) -> None:
    await later.produce(8, 320_000, 1)
    order = await later.order(4)
    advance_clock(later, PAST_CHARGE)
    _, answer, _ = await asyncio.gather(
        close_overdue(later), later.cancel(order), close_overdue(later)
    )
    assert answer.status_code in {200, 409, 412}
    assert await later.state(order) in {"expired", "cancelled"}
    assert await later.stock() == (8, 0, 0)
    assert len(await movement_kinds(later, order)) == 2


@pytest.mark.scenario("M5/continues")
async def test_money_after_expiry_still_buys_available_goods(later: LapasHarness) -> None:
    await later.produce(1, 40_000, 1)
    order = await expire_order(later)
    assert (await later.command(order, "pay_late"))["answers"] == [200]
    assert await later.state(order) == "paid"
    assert await later.stock() == (1, 0, 1)
    assert len(await later.journals(order)) == 1


@pytest.mark.scenario("M5/task")
async def test_money_after_expiry_for_goods_that_are_gone_is_owed_back(later: LapasHarness) -> None:
    """It is not divided, and an officer gets a task."""
    await later.produce(1, 40_000, 1)
    order = await expire_order(later)
    await later.paid_order(1)
    assert (await later.command(order, "pay_late"))["answers"] == [200]
    assert await later.state(order) == "expired"
    assert await later.stock() == (1, 0, 1)
    [journal] = await later.journals(order)
    assert [(leg["account"], leg["side"], leg["amount_idr"]) for leg in journal["legs"]] == [
        ("piutang_gateway", "debit", 100_000),
        (f"utang_refund:{order['id']}", "credit", 100_000),
    ]
    [task] = await later.tasks()
    assert (task["kind"], task["subject"]) == ("payment_received_late", order["id"])
    assert await later.stored("outbox", key=order["id"]) == []
    assert (await later.split(order)).json()["code"] == "not_divided_yet"


async def test_a_cancelled_order_releases_its_goods(later: LapasHarness) -> None:
    await later.produce(1, 40_000, 1)
    order = await later.order(1)
    await ok(later.cancel(order))
    assert (await later.state(order), await charge_status(later, order), await later.stock()) == (
        "cancelled",
        "cancel",
        (1, 0, 0),
    )


async def test_money_for_a_cancelled_order_is_owed_back(later: LapasHarness) -> None:
    await later.produce(1, 40_000, 1)
    order = await later.order(1)
    await ok(later.cancel(order))
    await later.command(order, "pay_late")
    assert await later.state(order) == "cancelled"
    assert [task["kind"] for task in await later.tasks()] == ["payment_received_late"]


async def test_a_cancelled_order_cannot_be_cancelled_again(later: LapasHarness) -> None:
    await later.produce(1, 40_000, 1)
    order = await later.order(1)
    await ok(later.cancel(order))
    answer = await later.cancel(order)
    assert (answer.status_code, answer.json()["code"]) == (409, "order_not_cancellable")


async def test_cancelling_an_order_that_was_paid_without_notice_pays_it(
    later: LapasHarness,
) -> None:
    await later.produce(1, 40_000, 1)
    order = await later.order(1)
    await later.command(order, "pay_unheard")
    assert (await ok(later.cancel(order)))["state"] == "paid"


async def fail_as_unreachable(_provider: object, *_: object) -> None:
    """Fail like a provider that does not answer."""
    raise PaymentProviderUnreachable


async def test_nothing_expires_while_the_provider_is_unreachable(
    later: LapasHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await later.produce(1, 40_000, 1)
    order = await later.order(1)
    monkeypatch.setattr(PaymentSimulator, "fetch_status", fail_as_unreachable)
    advance_clock(later, PAST_CHARGE)
    await close_overdue(later)
    assert await later.state(order) == "awaiting_payment"


async def test_a_job_opens_the_charge_that_checkout_could_not_open(
    later: LapasHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await later.produce(1, 40_000, 1)
    with monkeypatch.context() as outage:
        outage.setattr(PaymentSimulator, "charge", fail_as_unreachable)
        order = await later.order(1)
    assert (order["state"], order["payment"]) == ("placed", None)
    advance_clock(later, timedelta(minutes=1))
    await payment_process.open_charges(provider_factory(later), later.runner())
    assert await later.state(order) == "awaiting_payment"
