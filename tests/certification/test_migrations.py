"""Documents that older versions of certification stored reach the schema of today."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from chassis.app.migrations import migrate
from chassis.persistence.mongo import Mongo
from services.certification.certificates.rules import Numbers
from services.certification.certificates.store import Certificates
from services.certification.lsps.store import Lsps
from services.certification.migrations import MIGRATIONS
from tests import old_documents

DUMPS = Path(__file__).with_name("old_documents")
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
    assert (migrated["schema"], migrated["paper_version"], body["schema"]) == (2, 1, 3)
    if number is None:
        assert licence is None
        return
    assert (licence["number"], licence["valid_from"]) == (number, valid_from)
    assert licence["scheme_refs"] == ["las"]


async def test_lsps_of_schema_1_have_no_signatory(mongo_url: str) -> None:
    path = DUMPS / "lsps-1.json"
    with_keys, new = await old_documents.check_upgrade(mongo_url, Lsps, MIGRATIONS, path)
    assert (with_keys.signatory, new.signatory) == (None, None)
    assert [(key.name, key.retired_at, key.compromised_at) for key in with_keys.keys] == [
        ("key-2026", None, None),
        ("status-2026", None, None),
    ]


async def test_lsps_of_schema_2_have_no_licence_proposed(mongo_url: str) -> None:
    path = DUMPS / "lsps-2.json"
    with_keys, new = await old_documents.check_upgrade(mongo_url, Lsps, MIGRATIONS, path)
    assert (with_keys.licence_proposals, new.licence_proposals) == ((), ())
    assert with_keys.signatory.office == "Ketua LSP"


async def test_certificates_of_schema_1_are_first_papers_without_numbers(mongo_url: str) -> None:
    path = DUMPS / "certificates-1.json"
    certificates = await old_documents.check_upgrade(mongo_url, Certificates, MIGRATIONS, path)
    assert [certificate.state for certificate in certificates] == [
        "reserved",
        "issued",
        "suspended",
    ]
    for certificate in certificates:
        assert (certificate.numbers, certificate.paper_version) == (Numbers(), 1)
        assert (certificate.replaces, certificate.successor_id) == (None, None)
        assert certificate.signatory is None


async def test_a_start_on_former_documents_gives_certificates_their_licences(
    mongo_url: str,
) -> None:
    lsps = old_documents.load(DUMPS / "lsps-1.json")
    certificates = old_documents.load(DUMPS / "certificates-1.json")
    async with old_documents.database_with(mongo_url, "lsps", lsps) as db:
        await db.insert("certificates", certificates)
        stores = old_documents.transaction_of(Lsps, Certificates)
        await old_documents.start(db, stores, MIGRATIONS)
        documents = await db.find("certificates", {}, sort=[("_id", 1)])
    reading = Certificates(tx=cast("Any", None))
    licences = [reading.aggregate(document).licence for document in documents]
    assert [(licence.number, licence.scheme_refs) for licence in licences if licence] == [
        ("BNSP-LSP-1234-ID", {"las-dasar"}),
        ("BNSP-LSP-1234-ID", {"las-dasar"}),
        ("BNSP-LSP-1234-ID", {"listrik-dasar"}),
    ]
