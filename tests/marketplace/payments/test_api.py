"""Notifications over HTTP on real servers: valid when signed and confirmed, effective once."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from chassis.ids import utc_now
from services.marketplace.payment_simulator.usecases import PaymentSimulator
from services.marketplace.payments.rules import PaymentProviderUnreachable
from tests.marketplace.harness import Json, LapasHarness, if_match, ok, together


async def audit_rows(lapas: LapasHarness, action: str, subject: str) -> list[Json]:
    """Return the audit rows of an action on a subject."""
    return await lapas.stored("audit", action=action, subject=subject)


@pytest.mark.scenario("M6")
@pytest.mark.scenario("INV-8/stored")
async def test_equal_settlements_at_once_and_a_late_pending_pay_once(lapas: LapasHarness) -> None:
    """Every notification is answered 200."""
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
async def test_a_wrong_signature_changes_nothing_and_leaves_an_audit_row(
    lapas: LapasHarness,
) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    by_command = await lapas.command(order, "wrong_signature")
    by_route = await lapas.notify(order, signature_key="0" * 128)
    assert (by_command["answers"], by_command["problems"]) == ([400], ["notification_forged"])
    assert (by_route.status_code, by_route.json()["code"]) == (400, "notification_forged")
    assert await lapas.state(order) == "awaiting_payment"
    assert await lapas.stock() == (1, 1, 0)
    assert await audit_rows(lapas, "payments.notification_refused", "sandbox")


@pytest.mark.scenario("M7/midtrans")
async def test_forged_notifications_are_counted_and_audited_once_a_minute(
    lapas: LapasHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that does not move is always in one minute."""
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    minute = utc_now().replace(second=7) + timedelta(days=1)
    monkeypatch.setattr(lapas.engine, "clock", lambda: minute)

    def refused() -> float:
        labels = {"reason": "notification_forged"}
        name = "marketplace_notifications_refused_total"
        return REGISTRY.get_sample_value(name, labels) or 0

    before = refused()
    answers = await together(*(lapas.notify(order, signature_key="0" * 128) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {400}
    assert refused() == before + 20
    rows = await lapas.stored("audit", action="payments.notification_refused", at=minute)
    assert len(rows) == 1


@pytest.mark.scenario("M7/midtrans")
async def test_a_signed_pending_turned_into_a_settlement_is_refused(lapas: LapasHarness) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    answer = await lapas.notify(order, status_code="201")
    assert (answer.status_code, answer.json()["code"]) == (400, "notification_contradictory")
    assert await lapas.state(order) == "awaiting_payment"


@pytest.mark.scenario("M7/midtrans")
async def test_a_signed_settlement_that_the_provider_denies_pays_nothing(
    lapas: LapasHarness,
) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    answer = await lapas.notify(order)
    assert answer.status_code == 200
    assert await lapas.state(order) == "awaiting_payment"
    [row] = await audit_rows(lapas, "payments.notification_denied", f"{order['id']}-1")
    assert (row["claimed"], row["found"]) == ("settled", "pending")


@pytest.mark.scenario("M7/midtrans")
async def test_a_settlement_turned_into_a_refund_is_denied_by_the_provider(
    lapas: LapasHarness,
) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.paid_order(1)
    assert (await lapas.command(order, "claim_refund"))["answers"] == [200]
    assert await lapas.state(order) == "paid"
    assert len(await lapas.journals(order)) == 1
    assert await lapas.tasks() == []
    [row] = await audit_rows(lapas, "payments.notification_denied", f"{order['id']}-1")
    assert (row["claimed"], row["found"]) == ("refunded", "settled")


@pytest.mark.scenario("M8")
@pytest.mark.parametrize("amount", ["5539.00", "5539.50", "100000.50", "100001.00"])
async def test_an_unexpected_amount_pays_nothing_and_raises_one_task(
    lapas: LapasHarness, amount: str
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


@pytest.mark.scenario("M8")
async def test_an_officer_finishes_the_task_about_an_unexpected_amount(lapas: LapasHarness) -> None:
    await lapas.produce(1, 40_000, 1)
    await lapas.notify(await lapas.order(1), gross_amount="5539.00")
    [task] = await lapas.tasks()
    path = f"/v1/marketplace-tasks/{task['id']}"
    treasurer = lapas.as_("treasurer")
    free = await treasurer.post(
        f"{path}/resolutions", json={"resolution": "anything"}, headers=if_match(task)
    )
    assert (free.status_code, free.json()["code"]) == (422, "resolution_unknown")
    listed = await ok(treasurer.get(f"{path}/resolutions"))
    assert [one["code"] for one in listed["items"]] == free.json()["resolutions"]
    resolved = await ok(
        treasurer.post(
            f"{path}/resolutions",
            json={"resolution": "buyer_informed", "reason": "ditelepon"},
            headers=if_match(task),
        )
    )
    assert (resolved["state"], resolved["reason"]) == ("RESOLVED", "ditelepon")
    page = await ok(treasurer.get("/v1/marketplace-tasks"))
    assert page["counts"] == {"OPEN": 0, "ACKNOWLEDGED": 0, "RESOLVED": 1}
    assert (await ok(treasurer.get("/v1/marketplace-tasks/summary")))["unresolved"] == 0


async def test_a_task_names_its_role_and_due_date_in_the_readers_language(
    lapas: LapasHarness,
) -> None:
    await lapas.produce(1, 40_000, 1)
    await lapas.notify(await lapas.order(1), gross_amount="5539.00")
    english = {"accept-language": "en"}
    treasurer = lapas.as_("treasurer")
    page = await ok(treasurer.get("/v1/marketplace-tasks?role=treasurer", headers=english))
    [task] = page["items"]
    assert task["title"] == "The amount paid is not the amount due"
    opened_on = datetime.fromisoformat(task["opened_at"]).date()
    assert date.fromisoformat(task["due_on"]) == opened_on + timedelta(days=3)
    assert (await ok(treasurer.get("/v1/marketplace-tasks?role=store_officer")))["items"] == []
    [kind] = (await ok(treasurer.get("/v1/marketplace-tasks/summary")))["kinds"]
    assert (kind["kind"], kind["title"]) == (task["kind"], "Jumlah pembayaran tidak sesuai")
    assert (kind["unresolved"], kind["overdue"]) == (1, 0)


@pytest.mark.parametrize("changed", [{"currency": "USD"}, {"merchant_id": "G-OTHER"}])
async def test_another_currency_or_merchant_pays_nothing_and_raises_a_task(
    lapas: LapasHarness, changed: dict[str, str]
) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    await lapas.command(order, "pay_unheard")
    assert (await lapas.notify(order, **changed)).status_code == 200
    assert await lapas.state(order) == "awaiting_payment"
    assert [task["kind"] for task in await lapas.tasks()] == ["payment_amount_mismatched"]


async def test_a_notification_of_an_unknown_order_is_404(lapas: LapasHarness) -> None:
    await lapas.produce(1, 40_000, 1)
    answer = await lapas.notify(await lapas.order(1), order_id="no-such-order-1")
    assert (answer.status_code, answer.json()["code"]) == (404, "payment_unknown")


@pytest.mark.parametrize(
    ("provider", "body", "status", "code"),
    [
        ("other", b"{}", 404, "provider_unknown"),
        ("sandbox", b"not json", 400, "notification_malformed"),
        ("sandbox", b"x" * (64 * 1024 + 1), 413, "too_large"),
    ],
)
async def test_a_notification_that_cannot_be_read_is_answered_with_its_code(
    lapas: LapasHarness, provider: str, body: bytes, status: int, code: str
) -> None:
    path = f"/v1/payments/notifications/{provider}"
    answer = await lapas.public.post(path, content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_notifications_of_the_simulator_use_the_same_handler(lapas: LapasHarness) -> None:
    await lapas.produce(2, 80_000, 1)
    order = await lapas.order(1)
    assert (await lapas.command(order, "pay"))["answers"] == [200]
    assert (await lapas.command(order, "duplicate"))["answers"] == [200, 200]
    other = await lapas.order(1)
    assert (await lapas.command(other, "wrong_amount"))["answers"] == [200]
    assert [await lapas.state(order), await lapas.state(other)] == ["paid", "awaiting_payment"]
    assert len(await lapas.journals(order)) == 1


async def test_a_settlement_while_the_provider_is_unreachable_is_answered_503(
    lapas: LapasHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider sends the notification again later, and the order is paid."""
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    await lapas.command(order, "pay_unheard")

    async def fail(_provider: object, _order_ref: str) -> None:
        raise PaymentProviderUnreachable

    with monkeypatch.context() as outage:
        outage.setattr(PaymentSimulator, "fetch_status", fail)
        answer = await lapas.notify(order)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert await lapas.state(order) == "awaiting_payment"
    assert (await lapas.notify(order)).status_code == 200
    assert await lapas.state(order) == "paid"
