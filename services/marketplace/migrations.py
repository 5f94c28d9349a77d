"""Migrations of marketplace's stored documents.

Not here: how they run (chassis.app.migrations).
"""

from __future__ import annotations

from chassis.app.migrations import add_fields, upgrade_documents
from services.marketplace.policies.store import Policies

MIGRATIONS = (
    # schema 2 names the officials for whom deputies drafted and proposed
    upgrade_documents(Policies, {2: add_fields(drafted_for="", proposed_for="")}),
)
