"""Notifications in the format of Midtrans: signature, status, amount."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from services.marketplace.payments import midtrans, rules
from services.marketplace.payments.rules import Observation, PaymentStatus

KEY = "SB-Mid-server-TESTKEY"
NOW = datetime(2026, 11, 24, 5, tzinfo=UTC)
PUBLISHED_SIGNATURE = (
    "463dd8e829767102270ed283ee4d4b0ffbbd32a875c3846232899db80bbb5d2a"
    "f403af5883cc1301db0bcd87d2c5ec1f5abeed5c4dab3d0b86fef8c198a54b0c"
)


def notification(**changed: str) -> bytes:
    """Return a signed settlement of 5,539 rupiah, with some fields changed."""
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
    signature = midtrans.compute_signature(
        body["order_id"], body["status_code"], body["gross_amount"], KEY
    )
    return json.dumps({"signature_key": signature} | body).encode()


def read(body: bytes) -> Observation:
    """Return what a notification says, if its signature is valid."""
    verified = midtrans.verify_signature(midtrans.parse_notification(body), KEY)
    return midtrans.to_observation(verified, provider="sandbox", body=body)


def test_the_signature_is_the_published_vector() -> None:
    assert midtrans.compute_signature("qris-01", "200", "5539.00", KEY) == PUBLISHED_SIGNATURE


def test_a_settlement_says_what_was_paid_for_which_order() -> None:
    observation = read(notification())
    assert observation.order_ref == "qris-01"
    assert observation.status is PaymentStatus.SETTLED
    assert observation.amount_idr == 5_539
    assert observation.occurred_at == NOW


@pytest.mark.parametrize("name", ["order_id", "status_code", "gross_amount", "signature_key"])
def test_a_change_of_a_signed_field_is_forged(name: str) -> None:
    body = json.loads(notification())
    last = "1" if body[name][-1] != "1" else "2"
    body[name] = body[name][:-1] + last
    with pytest.raises(rules.NotificationForged):
        read(json.dumps(body).encode())


@pytest.mark.parametrize("code", ["201", "202", "407"])
def test_success_under_another_status_code_is_contradictory(code: str) -> None:
    with pytest.raises(rules.NotificationContradictory):
        read(notification(status_code=code))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"order_id": 1}',
        notification(transaction_status="invented"),
        notification(transaction_time="noon"),
    ],
)
def test_a_body_that_is_no_notification_is_malformed(body: bytes) -> None:
    with pytest.raises(rules.NotificationMalformed):
        read(body)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"transaction_status": "capture"}, PaymentStatus.SETTLED),
        ({"transaction_status": "capture", "fraud_status": "challenge"}, PaymentStatus.AUTHORIZED),
        (
            {"transaction_status": "capture", "fraud_status": "challenge", "status_code": "201"},
            PaymentStatus.AUTHORIZED,
        ),
        (
            {"transaction_status": "capture", "fraud_status": "deny", "status_code": "202"},
            PaymentStatus.DENIED,
        ),
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
def test_every_status_maps_to_our_own(changed: dict[str, str], status: PaymentStatus) -> None:
    assert read(notification(**changed)).status is status


@pytest.mark.parametrize(
    "amount",
    ["5539.50", "5539", "5539.0", "-1.00", "5539.00 ", "٥.00", "", "1e3.00", "9999999999999.00"],
)
def test_an_amount_that_is_not_whole_rupiah_is_refused(amount: str) -> None:
    assert midtrans.parse_rupiah(amount) is None


def test_an_amount_of_whole_rupiah_is_read_exactly() -> None:
    assert midtrans.parse_rupiah("55390.00") == 55_390


def test_each_entry_of_refunds_is_read_with_its_own_key_and_amount() -> None:
    """Two refunds of one key differ by their id; the sum beside them is cumulative."""
    body = json.loads(notification(transaction_status="partial_refund"))
    body["refund_amount"] = "3000.00"
    body["refunds"] = [
        {"refund_chargeback_id": 7, "refund_key": "a", "refund_amount": "1000.00", "reason": "x"},
        {"refund_chargeback_id": 8, "refund_key": "a", "refund_amount": "2000.00"},
    ]
    refunds = read(json.dumps(body).encode()).refunds
    assert [(refund.key, refund.amount_idr) for refund in refunds] == [
        ("7:a", 1_000),
        ("8:a", 2_000),
    ]


def test_a_refund_without_a_list_is_known_by_its_key_and_sum() -> None:
    changed = {"transaction_status": "partial_refund", "refund_amount": "3000.00"}
    [by_sum] = read(notification(**changed)).refunds
    [by_key] = read(notification(**changed, refund_key="k")).refunds
    assert (by_sum.key, by_key.key) == ("sum:3000.00", "k")
    assert (by_key.amount_idr, by_key.is_cumulative) == (3_000, True)
