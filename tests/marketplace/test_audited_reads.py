"""Reads about a person, at work or as a buyer, are audited in the transaction of the read."""

from __future__ import annotations

import pytest

from chassis.ids import new_id
from tests.fakes import AsgiClient, routes
from tests.marketplace.harness import Json, LapasHarness, jakarta_today

READS_ABOUT_PERSONS = {
    "/v1/work-assignments": "work_assignments.listed",
    "/v1/work-logs": "work_logs.listed",
    "/v1/workshops/{workshop_id}/work-days/{date}": "work_days.read",
    "/v1/batches": "batches.listed",
    "/v1/batches/{batch_id}": "batches.read",
    "/v1/ledger/journals": "journals.listed",
    "/v1/orders": "orders.read",
    "/v1/orders/{order_id}/record": "orders.read",
}
"""The audit action of each read about a person, by route template."""

READS_ABOUT_NO_PERSON = {
    "/v1/carts/{cart_id}",
    "/v1/ledger/trial-balance",
    "/v1/orders/{order_id}",
    "/v1/orders/{order_id}/split",
    "/v1/payments/events",
    "/v1/split-policies",
    "/v1/split-policies/{policy_id}",
    "/v1/products",
    "/v1/products/{product_id}",
    "/v1/products/{product_id}/provenance",
    "/v1/products/{product_id}/record",
    "/v1/stock",
    "/v1/stock/movements",
    "/v1/marketplace-tasks",
    "/v1/marketplace-tasks/summary",
    "/v1/marketplace-tasks/{task_id}",
    "/v1/marketplace-tasks/{task_id}/resolutions",
    "/v1/workshops",
    "/v1/workshops/{workshop_id}",
}
"""Goods, money by order, and the public's own cart and order."""


def name_path(lapas: LapasHarness, template: str, order: Json, batch: Json) -> str:
    """Return the path of a template with the ids of these aggregates, and today."""
    return template.format(
        order_id=order["id"],
        batch_id=batch["id"],
        workshop_id=lapas.workshop["id"],
        date=jakarta_today(),
    )


def test_every_read_is_listed_as_about_a_person_or_not(service: AsgiClient) -> None:
    reads = {
        route.path
        for route in routes(service.app)
        if route.methods == {"GET"}
        and route.path.startswith("/v1/")
        and not route.path.startswith("/v1/operations/")
    }
    assert reads == READS_ABOUT_PERSONS.keys() | READS_ABOUT_NO_PERSON


@pytest.mark.parametrize("template", READS_ABOUT_PERSONS)
async def test_every_read_about_a_person_leaves_a_row_with_reader_and_person(
    lapas: LapasHarness, template: str
) -> None:
    batch = await lapas.produce(2, 40_000, 1, 2)
    order = await lapas.paid_order(1)
    path = name_path(lapas, template, order, batch)
    persons = {order["id"]} if "orders" in template else set(lapas.people)
    query = f"?batch_id={batch['id']}" if "work-logs" in template else ""
    reader = f"reader-{lapas.facility}"
    answer = await lapas.as_("auditor", reader).get(path + query)
    assert answer.status_code == 200, answer.text
    [row] = await lapas.stored("audit", actor=reader)
    assert (row["action"], row["role"], row["facility"]) == (
        READS_ABOUT_PERSONS[template],
        "auditor",
        lapas.facility,
    )
    assert persons <= {row["subject"], *row.get("refs", ())}


@pytest.mark.parametrize("template", READS_ABOUT_PERSONS)
async def test_a_refused_read_about_a_person_leaves_no_row_with_a_person(
    lapas: LapasHarness, template: str
) -> None:
    batch = await lapas.produce(2, 40_000, 1, 2)
    order = await lapas.order(1)
    query = f"?batch_id={batch['id']}" if "work-logs" in template else ""
    path = name_path(lapas, template, order, batch) + query
    stranger = f"stranger-{lapas.facility}"
    elsewhere = lapas.client.as_("auditor", subject=stranger, facility=f"LP-{new_id()[-12:]}")
    answer = await elsewhere.get(path)
    assert answer.status_code == 404 or answer.json()["items"] == []
    without_permissions = lapas.client.as_(
        "auditor", subject=stranger, permissions=(), facility=lapas.facility
    )
    assert (await without_permissions.get(path)).status_code == 403
    rows = await lapas.stored("audit", actor=stranger)
    assert [row for row in rows if row.get("refs") != []] == []
