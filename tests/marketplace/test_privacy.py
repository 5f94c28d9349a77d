"""Public pages, events, logs and audit rows name no person and no buyer."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator

import pytest

from chassis.ids import new_id
from tests.fakes import eventually
from tests.logs import production_log
from tests.marketplace.factories import CONTACT
from tests.marketplace.harness import LapasHarness, created, ok
from tests.marketplace.test_inbound import Training, decision

BUYER_DATA = ("Pembeli Contoh", "0812-0000-0000", "Jalan Contoh")
PLANTED = ("Zulkarnaen Uji", "9904050402850001", "Pasal 362 KUHP", "cert-0193-uji")
"""A name, a NIK, an offence, the id of a certificate."""

EVENT_FIELDS = {
    "participant_ref",
    "workshop_id",
    "month",
    "unit_kind",
    "units_total",
    "order_id",
    "product_class",
    "amounts_idr",
}


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Return the stream to which the test's log goes."""
    with production_log("marketplace", "debug") as written:
        yield written


@pytest.mark.scenario("M20/public")
@pytest.mark.scenario("INV-15/public")
@pytest.mark.scenario("INV-15/events")
async def test_public_pages_and_events_name_no_person_and_no_buyer(lapas: LapasHarness) -> None:
    await lapas.produce(3, 120_000, 2, 1)
    order = await lapas.paid_order(1)
    cart_id = await lapas.cart(1)
    pages = [
        await lapas.public.get("/v1/products?limit=500"),
        await lapas.public.get(f"/v1/products/{lapas.product['id']}"),
        await lapas.public.get(f"/v1/products/{lapas.product['id']}/provenance"),
        await lapas.public.get(f"/v1/orders/{order['id']}?token={order['token']}"),
        await lapas.split(order),
        await lapas.public.get(f"/v1/carts/{cart_id}"),
        await lapas.check_out(await lapas.cart(3)),
    ]
    assert [page.status_code for page in pages] == [200] * 6 + [409]
    events = [row["body"] for row in await lapas.stored("outbox", facility_id=lapas.facility)]
    for text in [page.text for page in pages]:
        assert not any(person in text for person in lapas.people)
    for text in [page.text for page in pages] + events:
        assert not any(secret in text for secret in (*BUYER_DATA, order["token"]))
        assert not re.search(r"\d{16}", text)
    assert any(lapas.people[0] in text for text in events)
    for text in events:
        assert json.loads(text).keys() <= EVENT_FIELDS


@pytest.mark.scenario("M20/public")
async def test_planted_names_and_numbers_are_shown_nowhere(
    lapas: LapasHarness, kafka: str, lines: io.StringIO
) -> None:
    """Product pages, buyer API, errors, notifications, events, logs and audit rows are scanned."""
    person = f"ref-{new_id()}"
    async with Training(lapas, kafka) as training:
        planted = dict(zip(("name", "nik", "offence", "certificate_id"), PLANTED, strict=True))
        data = decision(lapas, person, eligible=True) | planted
        await training.publish("work-eligibility-decided", person, **data)
        await eventually(lambda: lapas.stored("workers", _id=person, eligible=True))
    lapas.people = [person]
    await created(lapas.assign(person))
    await lapas.produce(6, 240_000, 1)
    contact = {"name": PLANTED[0], "phone": "08123456789", "address": " ".join(PLANTED)}
    placed = await created(lapas.check_out(await lapas.cart(1), contact))
    order = placed | await ok(lapas.start_attempt(placed))
    answers = [
        await lapas.notify(order, signature_key="0" * 128),
        await lapas.public.post("/v1/payments/notifications/sandbox", content=PLANTED[1]),
        await lapas.check_out(await lapas.cart(5), contact),
        await lapas.check_out("none", contact),
        await lapas.public.get(f"/v1/orders/{order['id']}?token={'A' * 22}"),
        await lapas.start_attempt(order | {"version": 1}),
        await lapas.public.get("/v1/products?limit=500"),
        await lapas.public.get(f"/v1/products/{lapas.product['id']}/provenance"),
    ]
    await lapas.command(order, "pay")
    token = {"order-token": order["token"]}
    paths = (f"/v1/orders/{order['id']}", f"/v1/orders/{order['id']}/split")
    answers += [await lapas.public.get(path, headers=token) for path in paths]
    shown = [answer.text for answer in answers]
    assert not any(person in text for text in shown)
    shown += [row["body"] for row in await lapas.stored("outbox", facility_id=lapas.facility)]
    shown += [lines.getvalue(), json.dumps(await lapas.stored("audit"), default=str)]
    for secret in PLANTED:
        assert not any(secret in text for text in shown), secret


async def test_provenance_names_workshop_programmes_and_batches_only(lapas: LapasHarness) -> None:
    await lapas.produce(3, 120_000, 2, 1)
    page = await lapas.public.get(f"/v1/products/{lapas.product['id']}/provenance")
    provenance = page.json()
    assert provenance["workshop_name"] == "Bengkel Kayu"
    assert provenance["programmes"] == ["Pertukangan kayu"]
    assert re.fullmatch(r"KAYU-\d{4}-0001", provenance["batches"][0]["number"])
    assert set(provenance) == {"workshop_name", "programmes", "batches"}


@pytest.mark.scenario("INV-15/logs")
async def test_logs_and_audit_rows_contain_no_buyer_data(
    lapas: LapasHarness, lines: io.StringIO
) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.paid_order(1)
    await lapas.command(order, "wrong_signature")
    await lapas.public.post("/v1/checkout", json={"cart_id": "none", "contact": CONTACT})
    audit = json.dumps(await lapas.stored("audit"), default=str)
    for secret in (*BUYER_DATA, order["token"]):
        assert secret not in lines.getvalue()
        assert secret not in audit
