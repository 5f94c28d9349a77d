"""Migrations: certificates of schema 1 get the licence under which they were issued."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from chassis.app.migrations import migrate
from chassis.persistence.mongo import Mongo
from services.certification.migrations import MIGRATIONS

FIRST = {
    "number": "L-1",
    "valid_from": "2025-01-01",
    "valid_until": "2026-12-31",
    "scheme_refs": ["las", "listrik"],
}
CORRECTED = FIRST | {"number": "L-2", "valid_from": "2027-01-01", "valid_until": "2027-12-31"}


@pytest.mark.parametrize(
    ("licences", "number", "valid_from"),
    [
        ([CORRECTED, FIRST], "L-1", "2025-01-01"),
        ([CORRECTED], "L-2", "2026-11-24"),
        ([FIRST | {"scheme_refs": ["listrik"]}], None, None),
    ],
)
async def test_a_certificate_of_schema_1_gets_the_licence_of_its_first_day(
    mongo_url: str, licences: list[Any], number: str | None, valid_from: str | None
) -> None:
    """Without one that covers the day it gets the one that names the scheme."""
    db = Mongo(mongo_url, f"test_{uuid4().hex[:20]}")
    certificate = {
        "_id": "c",
        "schema": 1,
        "version": 3,
        "lsp_id": "l",
        "scheme_ref": "las",
        "valid_from": datetime(2026, 11, 23, 17, tzinfo=UTC),
    }
    lsp = {"_id": "l", "schema": 1, "version": 1, "licences": licences, "keys": []}
    try:
        await db.bulk("lsps", [lsp])
        await db.bulk("certificates", [certificate])
        await migrate(db, MIGRATIONS, "replica")
        await migrate(db, MIGRATIONS, "replica")
        [migrated] = await db.find("certificates", {})
        [body] = await db.find("lsps", {})
    finally:
        await db.drop()
        await db.close()
    licence = migrated["licence"]
    assert (migrated["schema"], migrated["paper_version"], body["schema"]) == (2, 1, 2)
    if number is None:
        assert licence is None
        return
    assert (licence["number"], licence["valid_from"]) == (number, valid_from)
    assert licence["scheme_refs"] == ["las"]
