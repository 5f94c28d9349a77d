"""Migrations of training's stored documents.

Not here: how they run (chassis.app.migrations).
"""

from __future__ import annotations

from chassis.app.migrations import add_fields, move_documents, upgrade_documents
from services.training.snapshots.store import Snapshots
from services.training.tasks.store import Tasks
from services.training.tpp.store import Decisions

MIGRATIONS = (
    # schema 2 names the official for whom a deputy acted
    upgrade_documents(Snapshots, {2: add_fields(uploaded_for="")}),
    upgrade_documents(Decisions, {2: add_fields(recorded_for="")}),
    move_documents("inbox_items", Tasks),
)
