"""Searches of the audit over HTTP: within the scope, with texts for a reason only.

Not here: exports.
"""

from __future__ import annotations

from typing import Any

import pytest

from chassis.caller import system
from chassis.ids import new_id, utc_now
from chassis.persistence.mongo import Mongo
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import OperationContext
from tests.chassis.admin.audit_shop import (
    WHY,
    filled,
    searched,
    serve_shop,
    with_text,
)
from tests.chassis.sample_service import Transaction
from tests.fakes import AsgiClient

shop = pytest.fixture(serve_shop)


async def test_a_search_finds_by_person_actor_and_time_page_by_page_and_is_noted(
    shop: AsgiClient,
) -> None:
    before = utc_now()
    owner = new_id()
    other = new_id()
    north = await filled(shop, owner, "north")
    south = await filled(shop, other, "south")
    auditor = shop.as_("auditor", subject="auditor-1", facility="*")
    rows = await searched(auditor, person=owner)
    assert [
        (row["action"], row["subject"], row["person"], row["facility"], row["actor"], row["role"])
        for row in rows
    ] == [
        ("jars.added", north, owner, "north", "keeper-north", "keeper"),
        ("jars.changed", north, owner, "north", "keeper-north", "keeper"),
    ]
    assert rows[1]["values"] == {"marbles": [0, 2]}
    assert {row["subject"] for row in await searched(auditor, actor="keeper-south")} == {south}
    assert {
        row["subject"]
        for row in await searched(auditor, **{"from": before.isoformat()})
        if row["action"].startswith("jars.")
    } == {north, south}
    assert await searched(auditor, person=owner, to=before.isoformat()) == []
    db: Mongo = shop.app.state.life.db
    noted = await db.find(
        "audit", {"action": "audit.searched", "actor": "auditor-1", "subject": owner}
    )
    assert [row["rows"] for row in noted] == [2, 0]


async def test_a_time_that_no_database_can_express_is_refused(shop: AsgiClient) -> None:
    auditor = shop.as_("auditor", facility="*")
    for name, moment in (("from", "0001-01-01T00:00+23:00"), ("to", "9999-12-31T23:59-23:00")):
        answer = await auditor.get("/v1/operations/shop/audit", params={name: moment})
        assert (answer.status_code, answer.json()["field"]) == (422, name)


async def test_a_search_finds_merged_references_and_former_aggregates(
    shop: AsgiClient,
) -> None:
    owner = new_id()
    old = new_id()
    jar = await filled(shop, old, "north")
    run: Runner[Any] = Runner(
        shop.app.state.life.engine, OperationContext(caller=system("shop"), correlation_id=new_id())
    )

    async def merge(tx: Transaction) -> None:
        await tx.alias(old, owner)
        tx.note("jars.shown", jar, purpose="stock-taking")

    await run(merge)
    auditor = shop.as_("auditor", facility="*")
    for name in (owner, old):
        assert [row["action"] for row in await searched(auditor, person=name)][:3] == [
            "jars.added",
            "jars.changed",
            "jars.shown",
        ]
    [shown] = [
        row for row in await searched(auditor, person=owner) if row["action"] == "jars.shown"
    ]
    assert shown["purpose"] == "stock-taking"


async def test_an_auditor_sees_the_rows_of_his_facilities_and_no_texts(shop: AsgiClient) -> None:
    owner = new_id()
    await filled(shop, owner, "north", label="Budi")
    await filled(shop, owner, "south")
    db: Mongo = shop.app.state.life.db
    assert (await searched(shop.as_("auditor", facility="east"), person=owner)) == []
    assert {
        row["facility"]
        for row in await searched(shop.as_("auditor", facility="north"), person=owner)
    } == {"north"}
    assert (await searched(shop.as_("auditor", lsp="x"), person=owner)) == []
    await db.insert(
        "audit",
        [
            {
                "_id": new_id(),
                "at": utc_now(),
                "action": "x",
                "subject": owner,
                "facility": "north",
                "block": None,
                "values": {"label": ["", "Budi Santoso"]},
                "reason": "Budi",
            }
        ],
    )
    answer = await searched(shop.as_("auditor", facility="north"), person=owner)
    assert "Budi" not in str(answer)
    assert [row["values"] for row in answer if row["action"] == "x"] == [{"label": ["…", "…"]}]
    assert (
        await shop.as_("auditor", permissions=()).get("/v1/operations/shop/audit")
    ).status_code == 403


async def test_an_auditor_reads_texts_for_a_reason_only_which_is_noted(shop: AsgiClient) -> None:
    owner = new_id()
    auditor = shop.as_("auditor", subject="auditor-2", facility="north")
    await with_text(shop, owner, "north", "Budi Santoso")
    await with_text(shop, owner, "south", "Wati")
    for short in ("Budi", "", " " * 40, "x" * 501):
        refused = await auditor.get(
            "/v1/operations/shop/audit", params={"person": owner}, headers={"access-reason": short}
        )
        assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (
            422,
            "reason_unfit",
            "access-reason",
        )
    [masked], [whole] = [
        [row for row in await searched(auditor, why, person=owner) if row["action"] == "x"]
        for why in (None, WHY)
    ]
    assert (masked["values"], masked["reason"]) == ({"label": ["…", "…"]}, "…")
    assert (whole["values"], whole["reason"]) == ({"label": ["", "Budi Santoso"]}, "Budi Santoso")
    assert "Wati" not in str(await searched(auditor, WHY)), "a reason widens no scope"
    db: Mongo = shop.app.state.life.db
    noted = await db.find(
        "audit", {"action": "audit.searched", "actor": "auditor-2", "subject": owner}
    )
    assert {row["purpose"] for row in noted} == {"", WHY["access-reason"]}, (
        "what was refused was not looked at"
    )
