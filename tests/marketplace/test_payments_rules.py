"""What a gateway says, believed or not, and what it adds up to."""

import itertools
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.marketplace.money import Rupiah
from services.marketplace.payment_simulator import rules as sandbox
from services.marketplace.payment_simulator.rules import Command
from services.marketplace.payments import midtrans, rules
from services.marketplace.payments.rules import Observation, PaymentEvent, PaymentStatus
from services.marketplace.settings import MarketplaceSettings

KEY = "SB-Mid-server-TESTKEY"
NOW = datetime(2026, 11, 24, 5, tzinfo=UTC)
VECTOR = "463dd8e829767102270ed283ee4d4b0ffbbd32a875c3846232899db80bbb5d2af403af5883cc1301db0bcd87d2c5ec1f5abeed5c4dab3d0b86fef8c198a54b0c"


def notice(**changed: str) -> bytes:
    body = {
        "transaction_time": "2026-11-24 12:00:00",
        "transaction_status": "settlement",
        "transaction_id": "t-1",
        "status_code": "200",
        "order_id": "qris-01",
        "gross_amount": "5539.00",
        "merchant_id": "G1",
        "fraud_status": "accept",
        "currency": "IDR",
        "unknown_field": "ignored",
    } | changed
    return json.dumps(
        {
            "signature_key": midtrans.compute_signature(
                body["order_id"], body["status_code"], body["gross_amount"], KEY
            )
        }
        | body
    ).encode()


def heard(body: bytes) -> Observation:
    return midtrans.to_observation(
        midtrans.verify_signature(midtrans.parse_notification(body), KEY),
        provider="sandbox",
        body=body,
    )


def event(status: PaymentStatus, txn: str = "t-1") -> PaymentEvent:
    said = Observation(
        provider="sandbox",
        txn_id=txn,
        order_ref="o-1",
        status=status,
        amount_idr=Rupiah(1),
        currency="IDR",
        merchant="G1",
        occurred_at=NOW,
        raw_hash="",
    )
    return rules.accept(said, order_id="o", facility_id="LP-TJP", amount_idr=Rupiah(1), now=NOW)


def test_the_signature_is_the_published_vector() -> None:
    assert midtrans.compute_signature("qris-01", "200", "5539.00", KEY) == VECTOR


def test_a_settlement_says_what_was_paid_for_which_order() -> None:
    said = heard(notice())
    assert (said.order_ref, said.status, said.amount_idr, said.occurred_at) == (
        "qris-01",
        PaymentStatus.SETTLED,
        5_539,
        NOW,
    )


@pytest.mark.parametrize("part", ["order_id", "status_code", "gross_amount", "signature_key"])
def test_a_change_of_anything_signed_is_forged(part: str) -> None:
    body = json.loads(notice())
    with pytest.raises(rules.NotificationForged):
        heard(
            json.dumps(
                body | {part: body[part][:-1] + ("1" if body[part][-1] != "1" else "2")}
            ).encode()
        )


@pytest.mark.parametrize("code", ["201", "202", "407"])
def test_success_under_another_status_code_is_contradictory(code: str) -> None:
    with pytest.raises(rules.NotificationContradictory):
        heard(notice(status_code=code))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"order_id": 1}',
        notice(transaction_status="invented"),
        notice(transaction_time="noon"),
    ],
)
def test_what_is_no_notification_is_malformed(body: bytes) -> None:
    with pytest.raises(rules.NotificationMalformed):
        heard(body)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"transaction_status": "capture"}, PaymentStatus.SETTLED),
        ({"transaction_status": "capture", "fraud_status": "challenge"}, PaymentStatus.AUTHORIZED),
        ({"transaction_status": "settlement", "fraud_status": "deny"}, PaymentStatus.DENIED),
        ({"transaction_status": "authorize"}, PaymentStatus.AUTHORIZED),
        ({"transaction_status": "pending", "status_code": "201"}, PaymentStatus.PENDING),
        ({"transaction_status": "deny", "status_code": "202"}, PaymentStatus.DENIED),
        ({"transaction_status": "expire", "status_code": "407"}, PaymentStatus.EXPIRED),
        ({"transaction_status": "cancel"}, PaymentStatus.CANCELLED),
        ({"transaction_status": "failure"}, PaymentStatus.FAILED),
        ({"transaction_status": "refund"}, PaymentStatus.REFUNDED),
        ({"transaction_status": "partial_refund"}, PaymentStatus.PARTIAL_REFUND),
        ({"transaction_status": "chargeback"}, PaymentStatus.CHARGEBACK),
        ({"transaction_status": "partial_chargeback"}, PaymentStatus.PARTIAL_CHARGEBACK),
    ],
)
def test_every_status_has_our_own_word(changed: dict[str, str], status: PaymentStatus) -> None:
    assert heard(notice(**changed)).status is status


@pytest.mark.parametrize(
    "amount",
    ["5539.50", "5539", "5539.0", "-1.00", "5539.00 ", "٥.00", "", "1e3.00", "9999999999999.00"],
)
def test_an_amount_that_is_not_whole_rupiah_is_no_amount(amount: str) -> None:
    assert midtrans.parse_rupiah(amount) is None


def test_an_amount_of_whole_rupiah_is_read_exactly() -> None:
    assert midtrans.parse_rupiah("55390.00") == 55_390


@pytest.mark.parametrize(
    ("seen", "stands"),
    [
        ([], PaymentStatus.PENDING),
        ([PaymentStatus.SETTLED, PaymentStatus.PENDING], PaymentStatus.SETTLED),
        ([PaymentStatus.EXPIRED, PaymentStatus.SETTLED], PaymentStatus.SETTLED),
        ([PaymentStatus.SETTLED, PaymentStatus.EXPIRED], PaymentStatus.SETTLED),
        ([PaymentStatus.SETTLED, PaymentStatus.DENIED], PaymentStatus.REVERSED),
        ([PaymentStatus.DENIED], PaymentStatus.DENIED),
        (
            [PaymentStatus.SETTLED, PaymentStatus.CHARGEBACK, PaymentStatus.SETTLED],
            PaymentStatus.CHARGEBACK,
        ),
        ([PaymentStatus.SETTLED, PaymentStatus.PARTIAL_REFUND], PaymentStatus.PARTIAL_REFUND),
        (
            [PaymentStatus.SETTLED, PaymentStatus.CHARGEBACK, PaymentStatus.DENIED],
            PaymentStatus.CHARGEBACK,
        ),
    ],
)
def test_a_lower_rank_never_overwrites_a_higher_one_but_a_denial_after_settlement_reverses(
    seen: list[PaymentStatus], stands: PaymentStatus
) -> None:
    assert rules.derive_status([event(status) for status in seen]) is stands


@pytest.mark.scenario("INV-8/fold")
@given(st.lists(st.sampled_from(PaymentStatus), min_size=1, max_size=4, unique=True), st.data())
def test_any_order_and_number_of_the_same_notifications_stands_the_same_and_never_moves_back(
    seen: list[PaymentStatus], data: st.DataObject
) -> None:
    order = list(PaymentStatus)
    end = rules.derive_status([event(status) for status in seen])
    for arrival in itertools.permutations(seen):
        repeated = [status for status in arrival for _ in range(data.draw(st.integers(1, 3)))]
        stands = [
            rules.derive_status([event(status) for status in repeated[: place + 1]])
            for place in range(len(repeated))
        ]
        assert stands[-1] is end
        assert stands == sorted(stands, key=order.index)


def test_the_sandbox_sends_what_the_handler_believes() -> None:
    charge = sandbox.open_charge("o-1", Rupiah(100_000), NOW)
    paid = sandbox.execute(charge, Command.PAY, NOW)
    [body] = sandbox.build_notifications(paid, Command.PAY, KEY, NOW)
    said = heard(body)
    assert (said.status, said.amount_idr, said.merchant, said.order_ref) == (
        PaymentStatus.SETTLED,
        100_000,
        sandbox.MERCHANT,
        "o-1",
    )


def test_a_sandbox_charge_expires_by_itself_and_is_then_not_payable() -> None:
    charge = sandbox.open_charge("o-1", Rupiah(100_000), NOW)
    later = charge.expires_at
    assert sandbox.current_status(charge, later) == "expire"
    with pytest.raises(rules.ChargeRefused):
        sandbox.execute(charge, Command.PAY, later)


def base(tmp_path: object, **more: object) -> dict[str, object]:
    return {
        "mongo_url": "mongodb://x",
        "signing_key": "x",
        "trusted_keys": tmp_path,
        "audit_key": "11" * 32,
        "port": 0,
        "sandbox_key": KEY,
    } | more


@pytest.mark.scenario("M19/sandbox")
def test_the_sandbox_refuses_production(tmp_path: object) -> None:
    with pytest.raises(ValueError, match="refuses to run in production"):
        MarketplaceSettings(**base(tmp_path, environment="production", payment_provider="sandbox"))  # pyright: ignore[reportArgumentType]  # values as the environment gives them
    assert MarketplaceSettings(**base(tmp_path, environment="production")).provider == "none"  # pyright: ignore[reportArgumentType]  # values as the environment gives them
    assert MarketplaceSettings(**base(tmp_path, environment="development")).provider == "sandbox"  # pyright: ignore[reportArgumentType]  # values as the environment gives them
