"""Migrations of manpower's stored documents.

Not here: how they run (chassis.app.migrations).
"""

from __future__ import annotations

from chassis.app.migrations import add_fields, upgrade_documents
from services.manpower.agencies.store import Agencies
from services.manpower.consumers.store import Consumers

MIGRATIONS = (
    # schema 2 names the official for whom a deputy acted
    upgrade_documents(Agencies, {2: add_fields(registered_for="")}),
    upgrade_documents(Consumers, {2: add_fields(requested_for="")}),
)
