"""Who may ask what, and what leaves the service: no token 401, no permission 403, another Lapas 404, and never a person."""

from __future__ import annotations

import io
import json
import re

import pytest

from chassis import telemetry
from gateway.access.permissions.marketplace import PERMISSIONS
from tests.fakes import AsgiClient, not_four_eyes, routes
from tests.marketplace.harness import Json, Lapas, done, made, together


def addresses(service: AsgiClient) -> list[tuple[str, str]]:
    return [
        (method, route.path)
        for route in routes(service.app)
        for method in route.methods or ()
        if not route.path.startswith("/internal")
    ]


async def test_every_route_without_a_token_is_401_and_without_permission_403(
    service: AsgiClient,
) -> None:
    nobody = service.as_("auditor", permissions=())
    asked = [
        (method, re.sub(r"\{\w+\}", "x", path))
        for method, path in addresses(service)
        if path.startswith("/v1")
    ]
    assert len(asked) >= 50
    for method, path in asked:
        assert (await service.request(method, path, token="")).status_code == 401, path
        assert (await nobody.request(method, path)).status_code == 403, path


def test_every_route_belongs_to_a_role_and_every_permission_to_a_route(
    service: AsgiClient,
) -> None:
    served = {
        f"{method} {path}"
        for method, path in addresses(service)
        if path.startswith("/v1") and not path.startswith("/v1/operations/")
    }
    assert {
        permission for permissions in PERMISSIONS.values() for permission in permissions
    } == served
    assert all(permission.startswith("GET ") for permission in PERMISSIONS["auditor"])


async def test_an_officer_of_another_lapas_finds_nothing_and_changes_nothing(lapas: Lapas) -> None:
    batch = await lapas.produce(2, 80_000, 1)
    order = await lapas.paid_order(1)
    [place] = await lapas.stored("work_assignments", facility_id=lapas.facility)
    [policy] = await lapas.stored("split_policies", facility_id=lapas.facility)
    other = lapas.client.as_("workshop_officer", facility="LP-OTHER")
    things = [
        f"/v1/workshops/{lapas.workshop['id']}",
        f"/v1/batches/{batch['id']}",
        f"/v1/products/{lapas.product['id']}/record",
    ]
    things += [f"/v1/orders/{order['id']}/record", f"/v1/split-policies/{policy['_id']}"]
    for path in things:
        assert (await other.get(path)).status_code == 404, path
        assert (await lapas.as_("auditor").get(path)).status_code == 200, path
    commands: list[tuple[str, Json]] = [
        (f"/v1/workshops/{lapas.workshop['id']}/closure", {}),
        (f"/v1/work-assignments/{place['_id']}/end", {}),
        (f"/v1/products/{lapas.product['id']}/withdrawal", {"reason": "x"}),
        (f"/v1/orders/{order['id']}/transitions", {"step": "pack"}),
        (f"/v1/split-policies/{policy['_id']}/retirement", {"last_day": "2026-12-31"}),
        (
            "/v1/batches",
            {
                "workshop_id": lapas.workshop["id"],
                "sku": lapas.sku,
                "qty_planned": 1,
                "material_cost_idr": 0,
            },
        ),
    ]
    for path, body in commands:
        assert (await other.post(path, json=body)).status_code == 404, path
    lists = (
        "/v1/workshops",
        "/v1/work-assignments",
        "/v1/batches",
        "/v1/stock",
        "/v1/orders",
        "/v1/split-policies",
        "/v1/ledger/journals",
        "/v1/marketplace-tasks",
    )
    for path in (
        *lists,
        f"/v1/work-logs?batch_id={batch['id']}",
        f"/v1/stock/movements?stock_id={lapas.stock_id}",
        f"/v1/payments/events?order_id={order['id']}",
    ):
        assert (await done(other.get(path)))["items"] == [], path
    assert all(
        book["debit"] == 0 for book in (await done(other.get("/v1/ledger/trial-balance")))["books"]
    )
    foreign = {
        "facility_id": lapas.facility,
        "code": "X1",
        "name": "Bengkel",
        "product_classes": ["mebel"],
        "unit_kind": "hour",
    }
    assert (await other.post("/v1/workshops", json=foreign)).status_code == 404


@pytest.mark.scenario("M13/orders")
async def test_a_policy_is_refused_from_its_own_proposer_and_over_another_period(
    lapas: Lapas,
) -> None:
    whole = {"premi": 3500, "pnbp": 5000, "modal": 1500}
    wrong = await lapas.as_("treasurer").post(
        "/v1/split-policies", json=lapas.policy({"premi": 5000, "pnbp": 2000, "modal": 3500})
    )
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["bps"]) == (
        422,
        "policy_bps_sum",
        10_500,
    )
    drafted = await made(
        lapas.as_("treasurer")
        .by("konseptor", "bendahara")
        .post("/v1/split-policies", json=lapas.policy(whole))
    )
    path = f"/v1/split-policies/{drafted['id']}"
    await done(lapas.as_("treasurer").by("pengusul", "kasi").post(f"{path}/proposal"))
    for hand in (*not_four_eyes("konseptor", "bendahara"), *not_four_eyes("pengusul", "kasi")):
        own = await lapas.as_("head").by(*hand).post(f"{path}/approval")
        assert (own.status_code, own.json()["code"]) == (403, "policy_own_approval"), hand
    overlap = await lapas.as_("head").post(f"{path}/approval")
    assert (overlap.status_code, overlap.json()["code"]) == (409, "policy_overlaps")
    assert drafted["policy_version"] == 2


async def test_two_approvals_of_overlapping_policies_at_once_leave_one(lapas: Lapas) -> None:
    place = Lapas(lapas.client)
    drafts = [
        await made(
            place.as_("treasurer").post(
                "/v1/split-policies",
                json=place.policy({"premi": 5000, "pnbp": 1500, "modal": 3500}),
            )
        )
        for _ in range(4)
    ]
    for drafted in drafts:
        await done(place.as_("treasurer").post(f"/v1/split-policies/{drafted['id']}/proposal"))
    answers = await together(
        *(
            place.as_("head").post(f"/v1/split-policies/{drafted['id']}/approval")
            for drafted in drafts
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert [drafted["policy_version"] for drafted in drafts] == [1, 2, 3, 4]


@pytest.mark.scenario("M20/public")
@pytest.mark.scenario("INV-15/public")
@pytest.mark.scenario("INV-15/events")
async def test_what_the_public_and_other_services_read_names_no_person(lapas: Lapas) -> None:
    await lapas.produce(3, 120_000, 2, 1)
    order = await lapas.paid_order(1)
    query = f"?token={order['token']}"
    cart_id = await lapas.cart(1)
    pages = [
        await lapas.public.get("/v1/products?limit=500"),
        await lapas.public.get(f"/v1/products/{lapas.product['id']}"),
        await lapas.public.get(f"/v1/products/{lapas.product['id']}/provenance"),
        await lapas.public.get(f"/v1/orders/{order['id']}{query}"),
        await lapas.public.get(f"/v1/orders/{order['id']}/split{query}"),
        await lapas.public.get(f"/v1/carts/{cart_id}"),
        await lapas.check_out(await lapas.cart(3)),
    ]
    assert [page.status_code for page in pages] == [200] * 6 + [409]
    origin = pages[2].json()
    assert origin["workshop_name"] == "Bengkel Kayu"
    assert origin["programmes"] == ["Pertukangan kayu"]
    assert re.fullmatch(r"KAYU-\d{4}-0001", origin["batches"][0]["number"])
    assert set(origin) == {"workshop_name", "programmes", "batches"}
    events = [row["body"] for row in await lapas.stored("outbox", facility_id=lapas.facility)]
    secrets = ("Pembeli Contoh", "0812-0000-0000", "Jalan Contoh", order["token"])
    for text in [page.text for page in pages]:
        assert not any(person in text for person in lapas.people)
    for text in [page.text for page in pages] + events:
        assert not any(secret in text for secret in secrets)
        assert not re.search(r"\d{16}", text)
    assert any(person in text for person in lapas.people for text in events)
    assert {name for text in events for name in json.loads(text)} <= {
        *("participant_ref", "workshop_id", "month", "unit_kind", "units_total"),
        *("order_id", "product_class", "amounts_idr"),
    }


@pytest.mark.scenario("INV-15/logs")
async def test_neither_logs_nor_audit_rows_keep_what_a_buyer_told(lapas: Lapas) -> None:
    lines = io.StringIO()
    telemetry.configure("marketplace", "debug", stream=lines)
    await lapas.produce(1, 40_000, 1)
    order = await lapas.paid_order(1)
    await lapas.command(order, "wrong_signature")
    await lapas.public.post(
        "/v1/checkout",
        json={
            "cart_id": "none",
            "contact": {
                "name": "Pembeli Contoh",
                "phone": "0812-0000-0000",
                "address": "Jalan Contoh 1",
            },
        },
    )
    audit = json.dumps(await lapas.stored("audit"), default=str)
    for secret in ("Pembeli Contoh", "0812-0000-0000", "Jalan Contoh", order["token"]):
        assert secret not in lines.getvalue()
        assert secret not in audit


async def test_reading_a_buyers_contact_is_noted(lapas: Lapas) -> None:
    await lapas.produce(1, 40_000, 1)
    order = await lapas.order(1)
    record = await done(lapas.as_("store_officer").get(f"/v1/orders/{order['id']}/record"))
    assert record["contact"]["name"] == "Pembeli Contoh"
    [row] = await lapas.stored("audit", action="orders.read", subject=order["id"])
    assert row["actor"] == f"store_officer-{lapas.facility}"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/carts", {"lines": []}, "lines"),
        ("/v1/carts", {"lines": [{"sku": "A", "qty": 0}]}, "lines.0.qty"),
        ("/v1/carts", {"lines": [{"sku": "A", "qty": 1.5}]}, "lines.0.qty"),
        ("/v1/carts", {"lines": [{"sku": "A", "qty": "1"}]}, "lines.0.qty"),
        ("/v1/checkout", {"cart_id": "x", "contact": {"name": "n", "address": "a"}}, "phone"),
        (
            "/v1/workshops",
            {
                "facility_id": "F",
                "zone": "Mars/Base",
                "code": "KAYU",
                "name": "n",
                "product_classes": ["mebel"],
                "unit_kind": "hour",
            },
            "zone",
        ),
        (
            "/v1/split-policies",
            {
                "facility_id": "F",
                "base": "net_of_cost",
                "shares": [{"party": "premi", "bps": 10_001}],
            },
            "shares.0.bps",
        ),
    ],
)
async def test_a_malformed_request_is_told_its_field(
    lapas: Lapas, path: str, body: Json, field: str
) -> None:
    answer = await lapas.as_("treasurer").post(path, json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_lists_are_paged_without_skip_or_repeat(lapas: Lapas) -> None:
    await lapas.produce(5, 200_000, 1)
    placed = {(await lapas.order(1))["id"] for _ in range(5)}
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = await done(
            lapas.as_("store_officer").get(
                f"/v1/orders?limit=2{f'&cursor={cursor}' if cursor else ''}"
            )
        )
        seen += [order["id"] for order in page["items"]]
        cursor = page["next_cursor"]
    assert len(seen) == 5
    assert set(seen) == placed
