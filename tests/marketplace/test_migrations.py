"""Documents that older versions of marketplace stored reach the schema of today."""

from __future__ import annotations

from pathlib import Path

from services.marketplace.migrations import MIGRATIONS
from services.marketplace.policies.store import Policies
from tests import old_documents

DUMPS = Path(__file__).with_name("old_documents")


async def test_policies_of_schema_1_were_drafted_for_nobody_else(mongo_url: str) -> None:
    path = DUMPS / "split_policies-1.json"
    [policy] = await old_documents.check_upgrade(mongo_url, Policies, MIGRATIONS, path)
    assert (policy.drafted_for, policy.proposed_for) == ("", "")
