"""Documents that older versions of manpower stored reach the schema of today."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from services.manpower.agencies.store import Agencies
from services.manpower.consumers.store import Consumers
from services.manpower.credentials.rules import CredentialState
from services.manpower.credentials.store import Credentials
from services.manpower.migrations import MIGRATIONS
from services.manpower.vacancies.store import Vacancies
from tests import old_documents

DUMPS = Path(__file__).with_name("old_documents")


async def test_agencies_of_schema_1_were_registered_for_nobody_else(mongo_url: str) -> None:
    path = DUMPS / "agencies-1.json"
    [agency] = await old_documents.check_upgrade(mongo_url, Agencies, MIGRATIONS, path)
    assert agency.registered_for == ""


async def test_agencies_of_schema_2_belong_above_all_facilities(mongo_url: str) -> None:
    path = DUMPS / "agencies-2.json"
    [agency] = await old_documents.check_upgrade(mongo_url, Agencies, MIGRATIONS, path)
    assert (agency.owner, agency.proposal) == ("*", None)


async def test_vacancies_of_schema_1_belong_above_all_facilities(mongo_url: str) -> None:
    path = DUMPS / "vacancies-1.json"
    [vacancy] = await old_documents.check_upgrade(mongo_url, Vacancies, MIGRATIONS, path)
    assert vacancy.owner == "*"


@pytest.mark.parametrize(
    ("dump", "references"),
    [("consumers-1.json", ["client-a"]), ("consumers-2.json", ["client-a", "client-b"])],
)
async def test_credentials_of_older_consumers_wait_for_a_second_person(
    mongo_url: str, dump: str, references: list[str]
) -> None:
    """Nobody approved them; the consumer keeps none."""
    old = old_documents.load(DUMPS / dump)
    stores = old_documents.transaction_of(Consumers, Credentials)
    migrations = [one for one in MIGRATIONS if one.name.startswith("consumer")]
    async with old_documents.database_with(mongo_url, Consumers.collection, old) as db:
        await old_documents.start(db, stores, migrations)
        [document] = await db.find(Consumers.collection, {})
        credentials = await db.find(Credentials.collection, {}, sort=[("credential_ref", 1)])
    consumer = Consumers(tx=cast("Any", None)).aggregate(document)
    assert (consumer.owner, consumer.requested_for, document["schema"]) == ("*", "", 3)
    assert "credential_refs" not in document
    assert [row["credential_ref"] for row in credentials] == references
    reading = Credentials(tx=cast("Any", None))
    for row in credentials:
        credential = reading.aggregate(row)
        assert credential.state is CredentialState.PROPOSED
        assert credential.proposer.by == consumer.requested_by
