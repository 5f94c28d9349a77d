"""Whoever reads about a person, at work or as buyer, is noted in the transaction of the read, with whose data it was; whoever is refused has read nothing, and no row says so."""

from __future__ import annotations

from chassis.ids import new_id
from tests.fakes import routes
from tests.marketplace.harness import Lapas

OF_NOBODY = {  # answers without any person: goods, money by order, the public's own cart and order
    "/v1/batches", "/v1/batches/{batch_id}", "/v1/carts/{cart_id}", "/v1/ledger/journals", "/v1/ledger/trial-balance", "/v1/orders/{order_id}", "/v1/orders/{order_id}/split",
    "/v1/payments/events", "/v1/split-policies", "/v1/split-policies/{policy_id}", "/v1/products", "/v1/products/{product_id}", "/v1/products/{product_id}/provenance",
    "/v1/products/{product_id}/record", "/v1/stock", "/v1/stock/movements", "/v1/marketplace-tasks", "/v1/workshops", "/v1/workshops/{workshop_id}",
}  # fmt: skip


async def test_every_read_about_a_person_leaves_a_row_with_reader_and_person_and_a_refused_one_none(
    lapas: Lapas,
) -> None:
    batch = await lapas.produce(2, 40_000, 1, 2)
    order = await lapas.order(1)
    people = set(lapas.people)
    reads = {  # template: path, action, whose
        "/v1/work-assignments": ("/v1/work-assignments", "work_assignments.listed", people),
        "/v1/work-logs": (f"/v1/work-logs?batch_id={batch['id']}", "work_logs.listed", people),
        "/v1/orders": ("/v1/orders", "orders.read", {order["id"]}),
        "/v1/orders/{order_id}/record": (
            f"/v1/orders/{order['id']}/record",
            "orders.read",
            {order["id"]},
        ),
    }
    reader, stranger = f"reader-{lapas.facility}", f"stranger-{lapas.facility}"
    for template, (path, action, whose) in reads.items():
        before = len(await lapas.stored("audit", actor=reader))
        answer = await lapas.as_("auditor", reader).get(path)
        assert answer.status_code == 200, (template, answer.text)
        rows = sorted(await lapas.stored("audit", actor=reader), key=lambda row: row["_id"])
        assert len(rows) == before + 1, template
        assert (rows[-1]["action"], rows[-1]["role"], rows[-1]["facility"]) == (
            action,
            "auditor",
            lapas.facility,
        )
        assert whose <= {rows[-1]["subject"], *rows[-1].get("refs", ())}, template
        elsewhere = await lapas.client.as_(
            "auditor", subject=stranger, facility=f"LP-{new_id()[-12:]}"
        ).get(path)
        assert elsewhere.status_code == 404 or elsewhere.json()["items"] == [], template
        assert (
            await lapas.client.as_(
                "auditor", subject=stranger, permissions=(), facility=lapas.facility
            ).get(path)
        ).status_code == 403
        assert not [
            row for row in await lapas.stored("audit", actor=stranger) if row.get("refs") != []
        ], template
    read = {
        route.path
        for route in routes(lapas.client.app)
        if route.methods == {"GET"}
        and route.path.startswith("/v1/")
        and not route.path.startswith("/v1/operations/")
    }
    assert read - OF_NOBODY == reads.keys()
