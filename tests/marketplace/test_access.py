"""Access to the routes: no token 401, no permission 403, another Lapas 404, no If-Match 428."""

from __future__ import annotations

import re

import pytest

from gateway.access.permissions.marketplace import PERMISSIONS
from tests.fakes import AsgiClient, routes
from tests.marketplace.harness import Json, LapasHarness, if_match, ok

NOT_CHANGES_OF_AN_AGGREGATE = {
    "POST /v1/workshops",
    "POST /v1/work-assignments",
    "POST /v1/batches",
    "POST /v1/work-logs",
    "POST /v1/products",
    "POST /v1/split-policies",
    "POST /v1/carts",
    "POST /v1/checkout",
    "POST /v1/payments/notifications/{provider}",
    "POST /v1/payments/sandbox/{order_ref}/{command}",
    "PUT /v1/workshops/{workshop_id}/work-days/{date}",
}
"""Creations and appended facts, and lists whose lines have versions: they need no If-Match."""


def all_addresses(service: AsgiClient) -> list[tuple[str, str]]:
    """Return (method, path template) of every route."""
    listed = [route for route in routes(service.app) if route.path.startswith("/v1")]
    return [(method, route.path) for route in listed for method in sorted(route.methods or ())]


def addresses(service: AsgiClient) -> list[tuple[str, str]]:
    """Return (method, path template) of every route that is not an operator's."""
    return [
        (method, path)
        for method, path in all_addresses(service)
        if not path.startswith("/v1/operations/")
    ]


def example(path: str) -> str:
    """Return the path with `x` for each parameter."""
    return re.sub(r"\{\w+\}", "x", path)


async def test_every_route_without_a_token_is_401(service: AsgiClient) -> None:
    walked = all_addresses(service)
    assert len(walked) >= 50
    for method, path in walked:
        answer = await service.request(method, example(path), token="")
        assert answer.status_code == 401, path


async def test_every_route_without_permission_is_403(service: AsgiClient) -> None:
    without_permissions = service.as_("auditor", permissions=())
    for method, path in all_addresses(service):
        answer = await without_permissions.request(method, example(path))
        assert answer.status_code == 403, path


async def test_every_change_of_an_aggregate_without_if_match_is_428(service: AsgiClient) -> None:
    changes = [
        (method, path)
        for method, path in addresses(service)
        if method != "GET" and f"{method} {path}" not in NOT_CHANGES_OF_AN_AGGREGATE
    ]
    assert len(changes) == 20
    for method, path in changes:
        answer = await service.request(method, example(path), json={})
        assert (answer.status_code, answer.json()["code"]) == (428, "version_required"), path


async def test_a_change_of_an_older_version_is_412(lapas: LapasHarness) -> None:
    closure = f"/v1/workshops/{lapas.workshop['id']}/closure"
    older = if_match({"version": lapas.workshop["version"] - 1})
    answer = await lapas.as_("workshop_officer").post(closure, headers=older)
    assert (answer.status_code, answer.json()["code"]) == (412, "version_differs")


async def test_reads_and_changes_of_one_aggregate_answer_with_its_etag(lapas: LapasHarness) -> None:
    officer = lapas.as_("workshop_officer")
    path = f"/v1/workshops/{lapas.workshop['id']}"
    read = await officer.get(path)
    assert read.headers["etag"] == '"1"'
    closed = await officer.post(f"{path}/closure", headers={"if-match": read.headers["etag"]})
    assert closed.headers["etag"] == '"2"'


def test_every_route_belongs_to_a_role_and_every_permission_to_a_route(
    service: AsgiClient,
) -> None:
    granted = {permission for permissions in PERMISSIONS.values() for permission in permissions}
    assert granted == {f"{method} {path}" for method, path in addresses(service)}


def test_an_auditor_may_only_read() -> None:
    assert all(permission.startswith("GET ") for permission in PERMISSIONS["auditor"])


async def test_an_officer_of_another_lapas_finds_nothing_and_changes_nothing(
    lapas: LapasHarness,
) -> None:
    batch = await lapas.produce(2, 80_000, 1)
    order = await lapas.paid_order(1)
    [assignment] = await lapas.stored("work_assignments", facility_id=lapas.facility)
    [policy] = await lapas.stored("split_policies", facility_id=lapas.facility)
    other = lapas.client.as_("workshop_officer", facility="LP-OTHER")
    reads = [
        f"/v1/workshops/{lapas.workshop['id']}",
        f"/v1/batches/{batch['id']}",
        f"/v1/products/{lapas.product['id']}/record",
        f"/v1/orders/{order['id']}/record",
        f"/v1/split-policies/{policy['_id']}",
    ]
    for path in reads:
        assert (await other.get(path)).status_code == 404, path
        assert (await lapas.as_("auditor").get(path)).status_code == 200, path
    new_batch = {
        "workshop_id": lapas.workshop["id"],
        "sku": lapas.sku,
        "qty_planned": 1,
        "material_cost_idr": 0,
    }
    commands: list[tuple[str, Json]] = [
        (f"/v1/workshops/{lapas.workshop['id']}/closure", {}),
        (f"/v1/work-assignments/{assignment['_id']}/end", {}),
        (f"/v1/products/{lapas.product['id']}/withdrawal", {"reason": "x"}),
        (f"/v1/orders/{order['id']}/transitions", {"step": "pack"}),
        (f"/v1/split-policies/{policy['_id']}/retirement", {"last_day": "2026-12-31"}),
        ("/v1/batches", new_batch),
    ]
    for path, body in commands:
        answer = await other.post(path, json=body, headers={"if-match": '"1"'})
        assert answer.status_code == 404, path


async def test_an_officer_of_another_lapas_finds_empty_lists(lapas: LapasHarness) -> None:
    batch = await lapas.produce(2, 80_000, 1)
    order = await lapas.paid_order(1)
    other = lapas.client.as_("workshop_officer", facility="LP-OTHER")
    lists = [
        "/v1/workshops",
        "/v1/work-assignments",
        "/v1/batches",
        "/v1/stock",
        "/v1/orders",
        "/v1/split-policies",
        "/v1/ledger/journals",
        "/v1/marketplace-tasks",
        f"/v1/work-logs?batch_id={batch['id']}",
        f"/v1/stock/movements?stock_id={lapas.stock_id}",
        f"/v1/payments/events?order_id={order['id']}",
    ]
    for path in lists:
        assert (await ok(other.get(path)))["items"] == [], path
    trial = await ok(other.get("/v1/ledger/trial-balance"))
    assert all(book["debit"] == 0 for book in trial["books"])


async def test_an_officer_creates_nothing_for_another_lapas(lapas: LapasHarness) -> None:
    other = lapas.client.as_("workshop_officer", facility="LP-OTHER")
    foreign = {
        "facility_id": lapas.facility,
        "code": "X1",
        "name": "Bengkel",
        "product_classes": ["mebel"],
        "unit_kind": "hour",
    }
    assert (await other.post("/v1/workshops", json=foreign)).status_code == 404


WORKSHOP_ON_MARS = {
    "facility_id": "F",
    "zone": "Mars/Base",
    "code": "KAYU",
    "name": "n",
    "product_classes": ["mebel"],
    "unit_kind": "hour",
}
POLICY_OVER_100_PERCENT = {
    "facility_id": "F",
    "base": "net_of_cost",
    "shares": [{"party": "premi", "bps": 10_001}],
}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/carts", {"lines": []}, "lines"),
        ("/v1/carts", {"lines": [{"sku": "A", "qty": 0}]}, "lines.0.qty"),
        ("/v1/carts", {"lines": [{"sku": "A", "qty": 1.5}]}, "lines.0.qty"),
        ("/v1/carts", {"lines": [{"sku": "A", "qty": "1"}]}, "lines.0.qty"),
        ("/v1/checkout", {"cart_id": "x", "contact": {"name": "n", "address": "a"}}, "phone"),
        ("/v1/workshops", WORKSHOP_ON_MARS, "zone"),
        ("/v1/split-policies", POLICY_OVER_100_PERCENT, "shares.0.bps"),
    ],
)
async def test_a_malformed_request_is_answered_with_its_field(
    lapas: LapasHarness, path: str, body: Json, field: str
) -> None:
    answer = await lapas.as_("treasurer").post(path, json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_lists_are_paged_without_skip_or_repeat(lapas: LapasHarness) -> None:
    await lapas.produce(5, 200_000, 1)
    placed = {(await lapas.order(1))["id"] for _ in range(5)}
    officer = lapas.as_("store_officer")
    page = await ok(officer.get("/v1/orders?limit=2"))
    read = [order["id"] for order in page["items"]]
    while page["next_cursor"] is not None:
        page = await ok(officer.get(f"/v1/orders?limit=2&cursor={page['next_cursor']}"))
        read += [order["id"] for order in page["items"]]
    assert len(read) == 5
    assert set(read) == placed
