"""Documents that older versions of manpower stored reach the schema of today."""

from __future__ import annotations

from pathlib import Path

from services.manpower.agencies.store import Agencies
from services.manpower.consumers.store import Consumers
from services.manpower.migrations import MIGRATIONS
from tests import old_documents

DUMPS = Path(__file__).with_name("old_documents")


async def test_agencies_of_schema_1_were_registered_for_nobody_else(mongo_url: str) -> None:
    path = DUMPS / "agencies-1.json"
    [agency] = await old_documents.check_upgrade(mongo_url, Agencies, MIGRATIONS, path)
    assert agency.registered_for == ""


async def test_consumers_of_schema_1_were_requested_for_nobody_else(mongo_url: str) -> None:
    path = DUMPS / "consumers-1.json"
    [consumer] = await old_documents.check_upgrade(mongo_url, Consumers, MIGRATIONS, path)
    assert consumer.requested_for == ""
