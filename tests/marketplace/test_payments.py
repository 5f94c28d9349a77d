"""What gateways tell us, over HTTP on real servers: believed when signed and confirmed, effective once."""

from __future__ import annotations

import asyncio

import pytest

from tests.marketplace.harness import Lapas, done, together


async def audit(lapas: Lapas, action: str, subject: str) -> list[dict[str, object]]:
    return await lapas.stored("audit", action=action, subject=subject)


@pytest.mark.scenario("M6")
@pytest.mark.scenario("INV-8/stored")
async def test_ten_equal_settlements_at_once_and_a_late_pending_pay_once_and_are_all_answered_200(
    lapas: Lapas,
) -> None:
    await lapas.produce(3, 120_000, 1)
    order = await lapas.order(1)
    await lapas.command(order, "pay_unheard")
    answers = await together(*(lapas.notify(order) for _ in range(10)))
    late = await lapas.notify(order, transaction_status="pending", status_code="201")
    assert [answer.status_code for answer in [*answers, late]] == [200] * 11
    assert await lapas.state(order) == "paid"
    assert len(await lapas.journals(order)) == 1
    assert len(await lapas.stored("outbox", key=order["id"])) == 1
    assert len(await lapas.stored("payment_events", order_id=order["id"], status="settled")) == 1
    assert await lapas.stock() == (3, 0, 1)


@pytest.mark.scenario("M7/midtrans")
async def test_a_wrong_signature_is_answered_400_changes_nothing_and_leaves_an_audit_row(
    lapas: Lapas,
) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    before = len(await audit(lapas, "payments.notification_refused", "sandbox"))
    by_command = await lapas.command(order, "wrong_signature")
    by_route = await lapas.notify(order, signature_key="0" * 128)
    assert (by_command["answers"], by_command["problems"]) == ([400], ["notification_forged"])
    assert (by_route.status_code, by_route.json()["code"]) == (400, "notification_forged")
    assert await lapas.state(order) == "awaiting_payment"
    assert await lapas.stock() == (1, 1, 0)
    assert len(await audit(lapas, "payments.notification_refused", "sandbox")) == before + 2


@pytest.mark.scenario("M7/midtrans")
async def test_a_signed_pending_turned_into_a_settlement_is_refused(lapas: Lapas) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    answer = await lapas.notify(order, status_code="201")
    assert (answer.status_code, answer.json()["code"]) == (400, "notification_contradictory")
    assert await lapas.state(order) == "awaiting_payment"


@pytest.mark.scenario("M7/midtrans")
async def test_a_signed_settlement_that_the_gateway_denies_pays_nothing(lapas: Lapas) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    answer = await lapas.notify(order)
    assert answer.status_code == 200
    assert await lapas.state(order) == "awaiting_payment"
    [row] = await audit(lapas, "payments.notification_denied", f"{order['id']}-1")
    assert (row["claimed"], row["found"]) == ("settled", "pending")


@pytest.mark.scenario("M7/midtrans")
async def test_a_signed_settlement_turned_into_a_refund_is_refused_by_the_status_call(
    lapas: Lapas,
) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.paid_order(1)
    assert (await lapas.command(order, "claim_refund"))["answers"] == [200]
    assert await lapas.state(order) == "paid"
    assert len(await lapas.journals(order)) == 1
    assert await lapas.tasks() == []
    [row] = await audit(lapas, "payments.notification_denied", f"{order['id']}-1")
    assert (row["claimed"], row["found"]) == ("refunded", "settled")


@pytest.mark.scenario("M8")
@pytest.mark.parametrize("amount", ["5539.00", "5539.50", "100000.50", "100001.00"])
async def test_a_signed_amount_that_is_not_the_orders_pays_nothing_and_asks_an_officer(
    lapas: Lapas, amount: str
) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    answers = [await lapas.notify(order, gross_amount=amount) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert await lapas.state(order) == "awaiting_payment"
    [task] = await lapas.tasks()
    assert (task["kind"], task["subject"], task["facts"]["expected_idr"]) == (
        "payment_amount_mismatched",
        order["id"],
        "100000",
    )
    finished = await done(
        lapas.as_("treasurer").post(
            "/v1/marketplace-tasks/completions",
            json={"task_id": task["id"], "outcome": "Pembeli dihubungi"},
        )
    )
    assert finished["done_at"]
    assert await lapas.tasks() == []


@pytest.mark.parametrize("changed", [{"currency": "USD"}, {"merchant_id": "G-OTHER"}])
async def test_another_currency_or_merchant_pays_nothing_and_asks_an_officer(
    lapas: Lapas, changed: dict[str, str]
) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    await lapas.command(order, "pay_unheard")
    assert (await lapas.notify(order, **changed)).status_code == 200
    assert await lapas.state(order) == "awaiting_payment"
    assert [task["kind"] for task in await lapas.tasks()] == ["payment_amount_mismatched"]


async def test_an_unknown_order_or_provider_is_answered_404_and_what_is_no_notification_400(
    lapas: Lapas,
) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    unknown = await lapas.notify(order, order_id="no-such-order-1")
    other = await lapas.public.post("/v1/payments/notifications/other", content=b"{}")
    broken = await lapas.public.post("/v1/payments/notifications/sandbox", content=b"not json")
    huge = await lapas.public.post(
        "/v1/payments/notifications/sandbox", content=b"x" * (64 * 1024 + 1)
    )
    assert [
        (answer.status_code, answer.json()["code"]) for answer in (unknown, other, broken, huge)
    ] == [
        (404, "payment_unknown"),
        (404, "provider_unknown"),
        (400, "notification_malformed"),
        (413, "too_large"),
    ]


async def test_commands_of_the_sandbox_go_through_the_handler_that_http_goes_through(
    lapas: Lapas,
) -> None:
    await lapas.produce(2, 80_000, 1)
    order = await lapas.order(1)
    assert (await lapas.command(order, "pay"))["answers"] == [200]
    assert (await lapas.command(order, "duplicate"))["answers"] == [200, 200]
    other = await lapas.order(1)
    assert (await lapas.command(other, "wrong_amount"))["answers"] == [200]
    assert [await lapas.state(order), await lapas.state(other)] == ["paid", "awaiting_payment"]
    assert len(await lapas.journals(order)) == 1


@pytest.mark.scenario("M9/unshipped")
async def test_a_denial_after_settlement_undoes_every_leg_and_frees_the_goods(lapas: Lapas) -> None:
    await lapas.produce(3, 120_000, 2, 1)
    order = await lapas.paid_order(2)
    assert (await lapas.command(order, "deny"))["answers"] == [200]
    assert await lapas.state(order) == "payment_reversed"
    assert await lapas.stock() == (3, 0, 0)
    sale, undone = sorted(
        await lapas.journals(order), key=lambda journal: bool(journal["reverses"])
    )
    assert undone["reverses"] == sale["id"]
    sides = {"debit": "credit", "credit": "debit"}
    assert [(leg["account"], sides[leg["side"]], leg["amount_idr"]) for leg in undone["legs"]] == [
        (leg["account"], leg["side"], leg["amount_idr"]) for leg in sale["legs"]
    ]
    assert set((await lapas.balances()).values()) == {0}
    assert (await lapas.command(order, "deny"))["answers"] == [200]
    assert len(await lapas.journals(order)) == 2


@pytest.mark.scenario("M9/shipped")
async def test_a_denial_after_shipping_leaves_the_order_and_the_buyer_owes(lapas: Lapas) -> None:
    await lapas.produce(1, 40_000, 2, 1)
    order = await lapas.paid_order(1)
    for step in ("pack", "ship"):
        await done(
            lapas.as_("store_officer").post(
                f"/v1/orders/{order['id']}/transitions", json={"step": step}
            )
        )
    before = await lapas.balances()
    await lapas.command(order, "deny")
    assert await lapas.state(order) == "shipped"
    after = await lapas.balances()
    assert (after["piutang_gateway"], after["piutang_pembeli"]) == (0, 100_000)
    assert {name: after[name] for name in before if name != "piutang_gateway"} == {
        name: before[name] for name in before if name != "piutang_gateway"
    }
    assert [task["kind"] for task in await lapas.tasks()] == ["payment_reversed_after_shipping"]


@pytest.mark.scenario("INV-4/stored")
async def test_the_books_balance_whatever_happened_and_stored_journals_are_never_changed(
    lapas: Lapas,
) -> None:
    await lapas.produce(6, 240_001, 3, 1)
    orders = [await lapas.paid_order(1) for _ in range(3)]
    written = {
        journal["_id"]: journal
        for journal in await lapas.stored("journals", facility_id=lapas.facility)
    }
    await lapas.command(orders[0], "deny")
    await together(*(lapas.command(order, "duplicate") for order in orders))
    journals = await lapas.stored("journals", facility_id=lapas.facility)
    for journal in journals:
        assert (
            sum(
                leg["amount_idr"] * (1 if leg["side"] == "debit" else -1) for leg in journal["legs"]
            )
            == 0
        )
        assert min(leg["amount_idr"] for leg in journal["legs"]) > 0
        assert journal["version"] == 1
    assert {journal["_id"]: journal for journal in journals if not journal["reverses"]} == written
    await lapas.balances()


async def test_while_the_gateway_cannot_be_asked_a_settlement_is_answered_503_and_comes_again(
    lapas: Lapas, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.marketplace.payment_simulator.usecases import PaymentSimulator  # noqa: PLC0415 - only here
    from services.marketplace.payments.rules import PaymentProviderUnreachable  # noqa: PLC0415 - only here

    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    await lapas.command(order, "pay_unheard")

    async def away(_gateway: object, _order_ref: str) -> None:
        await asyncio.sleep(0)
        raise PaymentProviderUnreachable

    with monkeypatch.context() as outage:
        outage.setattr(PaymentSimulator, "fetch_status", away)
        answer = await lapas.notify(order)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert await lapas.state(order) == "awaiting_payment"
    assert (await lapas.notify(order)).status_code == 200
    assert await lapas.state(order) == "paid"
