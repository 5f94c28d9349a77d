"""Migrations of training's stored documents.

Not here: how they run (chassis.app.migrations).
"""

from __future__ import annotations

from chassis.app.migrations import add_fields, move_documents, upgrade_documents
from chassis.caller import EVERYTHING
from chassis.persistence.mongo import Document
from services.training.classes.store import Classes
from services.training.enrolments.store import Enrolments
from services.training.programmes.store import Programmes
from services.training.snapshot_rows.store import RowErrors
from services.training.snapshots.store import Rosters, Snapshots
from services.training.tasks.rules import TaskKind, dedupe_key
from services.training.tasks.store import Tasks
from services.training.tpp.store import Decisions


def _add_owner(document: Document) -> Document:
    """Give a programme to the officers of all facilities together; others copy it."""
    return {"owner": EVERYTHING} | document


def _add_suspension_steps(document: Document) -> Document:
    """Publish planned suspensions on their days; automatic ones were published before."""
    begins = [suspension["since"] for suspension in document["suspensions"]]
    return {
        "is_suspension_published": bool(document["automatic"]),
        "changes_on": min(begins, default=None) if document["live"] else None,
    } | document


def _remove_raw_cell(document: Document) -> Document:
    """Remove the raw cell of a row error, which was stored as plain text."""
    return document | {"error": document["error"] | {"raw": ""}}


def _remove_raw_facts(document: Document) -> Document:
    """Remove what a task about a stopped row kept of its cells as plain text.

    The facility's next list opens a new task if the row still stops.
    """
    if document["kind"] != TaskKind.ROW_STOPPED:
        return document
    facts = {
        name: value
        for name, value in document["facts"].items()
        if name not in {"raw", "source_ref"}
    }
    subject = document["_id"]
    key = dedupe_key(TaskKind.ROW_STOPPED, document["facility_id"], "", subject)
    return document | {"facts": facts, "subject": subject, "dedupe_key": key}


MIGRATIONS = (
    # schema 2 names the official for whom a deputy acted
    upgrade_documents(
        Snapshots,
        {2: add_fields(uploaded_for=""), 3: add_fields(skipped_sheets=[], correction=None)},
    ),
    upgrade_documents(Rosters, {2: add_fields(repeated_at=None)}),
    upgrade_documents(Decisions, {2: add_fields(recorded_for="")}),
    move_documents("inbox_items", Tasks),
    upgrade_documents(Tasks, {2: _remove_raw_facts}),
    upgrade_documents(RowErrors, {2: _remove_raw_cell}),
    upgrade_documents(Classes, {2: add_fields(closed_because="")}),
    upgrade_documents(Programmes, {2: _add_owner}),
    upgrade_documents(Enrolments, {2: _add_suspension_steps}),
)
