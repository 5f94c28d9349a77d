"""Statuses in an unusual order: no order waits without end, and all money is booked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from chassis.ids import utc_now
from services.marketplace.payment_simulator.usecases import PaymentSimulator
from services.marketplace.payments import payment_process
from services.marketplace.payments.rules import NotificationContradictory, Observation
from tests.marketplace.harness import Json, LapasHarness

PAST_CHARGE = timedelta(minutes=18)


@pytest.fixture
async def later(lapas: LapasHarness) -> AsyncIterator[LapasHarness]:
    """Yield the Lapas; a test may advance the clock of its service."""
    clock = lapas.engine.clock
    yield lapas
    lapas.engine.clock = clock


async def close_overdue(lapas: LapasHarness, *, at: timedelta = PAST_CHARGE) -> bool:
    """Run the job that closes overdue orders once, this long after now."""
    lapas.engine.clock = lambda: utc_now() + at
    factory = lapas.client.app.state.payment_provider_factory
    return await payment_process.close_overdue(factory, lapas.runner())


async def set_status(lapas: LapasHarness, order: Json, status: str) -> None:
    """Set the status of the charge at the provider."""
    await lapas.update_stored("sandbox_charges", f"{order['id']}-1", transaction_status=status)


async def legs(lapas: LapasHarness, order: Json) -> dict[str, int]:
    """Return debit less credit of each account in the journals of an order."""
    sums: dict[str, int] = {}
    for journal in await lapas.journals(order):
        for leg in journal["legs"]:
            name = leg["account"].partition(":")[0]
            amount = leg["amount_idr"] if leg["side"] == "debit" else -leg["amount_idr"]
            sums[name] = sums.get(name, 0) + amount
    return sums


def break_status_of(monkeypatch: pytest.MonkeyPatch, *order_ids: str) -> None:
    """Make the provider's answers about these orders unreadable."""
    fetch_status = PaymentSimulator.fetch_status

    async def fetch(simulator: PaymentSimulator, order_ref: str) -> Observation | None:
        if order_ref.rpartition("-")[0] in order_ids:
            raise NotificationContradictory
        return await fetch_status(simulator, order_ref)

    monkeypatch.setattr(PaymentSimulator, "fetch_status", fetch)


async def test_an_unreadable_answer_stops_no_other_order(
    later: LapasHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three overdue orders the first cannot be read, one was paid, one was not."""
    await later.produce(9, 360_000, 1)
    orders = [await later.order(1) for _ in range(3)]
    await later.command(orders[1], "pay_unheard")
    break_status_of(monkeypatch, orders[0]["id"])
    await close_overdue(later)
    states = [await later.state(order) for order in orders]
    assert states == ["awaiting_payment", "paid", "expired"]


async def test_a_status_of_an_unknown_kind_stops_no_other_order(later: LapasHarness) -> None:
    await later.produce(6, 240_000, 1)
    orders = [await later.order(1) for _ in range(2)]
    await set_status(later, orders[0], "invented")
    await close_overdue(later)
    assert [await later.state(order) for order in orders] == ["awaiting_payment", "expired"]


async def test_orders_that_cannot_be_closed_do_not_starve_the_others(
    later: LapasHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payment_process, "MAX_ORDERS_PER_RUN", 2)
    await later.produce(9, 360_000, 1)
    stuck = [await later.order(1) for _ in range(2)]
    other = await later.order(1)
    break_status_of(monkeypatch, *(order["id"] for order in stuck))
    assert await close_overdue(later)
    await close_overdue(later)
    assert await later.state(other) == "expired"


async def test_an_order_that_cannot_be_closed_becomes_a_task_at_its_second_try(
    later: LapasHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await later.produce(3, 120_000, 1)
    order = await later.order(1)
    with monkeypatch.context() as patched:
        break_status_of(patched, order["id"])
        for minutes in (0, 0, 2):
            await close_overdue(later, at=PAST_CHARGE + timedelta(minutes=minutes))
        [stored] = await later.stored("orders", _id=order["id"])
        assert stored["failures"] == 2
        [task] = await later.tasks()
        assert (task["kind"], task["facts"]["reason"]) == (
            "order_cannot_be_closed",
            "gateway_answer_unreadable",
        )
    await close_overdue(later, at=PAST_CHARGE + timedelta(minutes=10))
    assert await later.state(order) == "expired"


async def test_a_notification_whose_status_answer_is_unreadable_is_503(
    lapas: LapasHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider sends it again; a 400 would end its repeats."""
    await lapas.produce(3, 120_000, 1)
    order = await lapas.order(1)
    await lapas.command(order, "pay_unheard")
    with monkeypatch.context() as patched:
        break_status_of(patched, order["id"])
        answer = await lapas.notify(order)
    assert (answer.status_code, answer.json()["code"]) == (503, "gateway_answer_unreadable")


@pytest.mark.parametrize("status", ["refund", "chargeback"])
async def test_money_that_came_and_went_unseen_is_booked_and_frees_the_goods(
    lapas: LapasHarness, status: str
) -> None:
    await lapas.produce(3, 120_000, 1)
    order = await lapas.order(1)
    await set_status(lapas, order, status)
    assert (await lapas.notify(order, transaction_status=status)).status_code == 200
    assert await lapas.state(order) == "expired"
    assert await lapas.stock() == (3, 0, 0)
    assert await legs(lapas, order) == {"piutang_gateway": 0, "utang_refund": 0}
    assert len(await lapas.journals(order)) == 2
    assert [task["kind"] for task in await lapas.tasks()] == ["money_moved_at_gateway"]
    assert (await lapas.notify(order, transaction_status=status)).status_code == 200
    assert len(await lapas.journals(order)) == 2


async def test_a_refund_seen_by_the_expiry_frees_the_goods(later: LapasHarness) -> None:
    await later.produce(3, 120_000, 1)
    order = await later.order(1)
    await set_status(later, order, "refund")
    await close_overdue(later)
    assert (await later.state(order), await later.stock()) == ("expired", (3, 0, 0))
    assert await legs(later, order) == {"piutang_gateway": 0, "utang_refund": 0}


async def test_a_partial_refund_before_its_settlement_pays_the_order(lapas: LapasHarness) -> None:
    await lapas.produce(3, 120_000, 1)
    order = await lapas.order(1)
    await lapas.command(order, "pay_unheard")
    await lapas.command(order, "refund_part")
    assert await lapas.state(order) == "paid"
    assert await lapas.stock() == (3, 0, 1)
    [task] = await lapas.tasks()
    assert (task["kind"], task["facts"]["refunded_idr"]) == ("money_moved_at_gateway", "33333")


async def test_two_partial_refunds_are_two_events_and_two_tasks(lapas: LapasHarness) -> None:
    await lapas.produce(3, 120_000, 1)
    order = await lapas.paid_order(1)
    for _ in range(2):
        assert (await lapas.command(order, "refund_part"))["answers"] == [200]
    await lapas.command(order, "duplicate")
    events = await lapas.stored("payment_events", order_id=order["id"], status="partial_refund")
    assert sorted(event["refunded_idr"] for event in events) == [22_222, 33_333]
    amounts = [task["facts"]["refunded_idr"] for task in await lapas.tasks()]
    assert sorted(amounts) == ["22222", "33333"]


@pytest.mark.parametrize("status", ["cancel", "expire", "failure"])
async def test_a_confirmed_end_after_settlement_raises_one_task(
    lapas: LapasHarness, status: str
) -> None:
    await lapas.produce(3, 120_000, 1)
    order = await lapas.paid_order(1)
    await set_status(lapas, order, status)
    for _ in range(2):
        assert (await lapas.notify(order, transaction_status=status)).status_code == 200
    assert await lapas.state(order) == "paid"
    [task] = await lapas.tasks()
    assert (task["kind"], task["subject"]) == ("money_moved_at_gateway", order["id"])
    expected: dict[str, Any] = {"cancel": "cancelled", "expire": "expired", "failure": "failed"}
    assert task["facts"]["status"] == expected[status]


async def test_a_settlement_after_a_denial_pays_while_goods_are_available(
    lapas: LapasHarness,
) -> None:
    await lapas.produce(3, 120_000, 1)
    order = await lapas.order(1)
    await lapas.command(order, "deny")
    assert (await lapas.state(order), await lapas.stock()) == ("expired", (3, 0, 0))
    await lapas.command(order, "pay_late")
    assert (await lapas.state(order), await lapas.stock()) == ("paid", (3, 0, 1))
    assert (await lapas.balances())["piutang_gateway"] == 100_000


async def test_a_settlement_after_a_denial_is_owed_back_when_goods_are_gone(
    lapas: LapasHarness,
) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    await lapas.command(order, "deny")
    await lapas.paid_order(1)
    await lapas.command(order, "pay_late")
    assert await legs(lapas, order) == {"piutang_gateway": 100_000, "utang_refund": -100_000}
    assert [task["kind"] for task in await lapas.tasks()] == ["payment_received_late"]


async def test_a_denial_of_money_that_is_owed_back_settles_what_is_owed(
    lapas: LapasHarness,
) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    await lapas.command(order, "deny")
    await lapas.paid_order(1)
    await lapas.command(order, "pay_late")
    await lapas.command(order, "deny")
    assert await legs(lapas, order) == {"piutang_gateway": 0, "utang_refund": 0}


async def test_a_card_under_review_changes_nothing_and_is_answered_200(
    lapas: LapasHarness,
) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    answer = await lapas.notify(
        order, transaction_status="capture", status_code="201", fraud_status="challenge"
    )
    assert answer.status_code == 200
    assert await lapas.state(order) == "awaiting_payment"
