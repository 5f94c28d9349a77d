"""Documents that older versions of training stored reach the schema of today."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from chassis.app import migrations as chassis_migrations
from chassis.app.migrations import migrate
from services.training.classes.store import Classes
from services.training.enrolments.store import Enrolments
from services.training.migrations import MIGRATIONS
from services.training.programmes.api import ProgrammeBody
from services.training.programmes.store import Programmes
from services.training.snapshot_rows.store import RowErrors
from services.training.snapshots.store import Rosters, Snapshots
from services.training.tasks.store import Tasks
from services.training.tpp.store import Decisions
from tests import old_documents

DUMPS = Path(__file__).with_name("old_documents")


async def test_snapshots_of_schema_1_were_uploaded_for_nobody_else(mongo_url: str) -> None:
    path = DUMPS / "snapshots-1.json"
    snapshots = await old_documents.check_upgrade(mongo_url, Snapshots, MIGRATIONS, path)
    assert [snapshot.uploaded_for for snapshot in snapshots] == ["", ""]


async def test_snapshots_of_schema_2_skipped_no_sheet_and_stay_uncorrected(mongo_url: str) -> None:
    path = DUMPS / "snapshots-2.json"
    snapshots = await old_documents.check_upgrade(mongo_url, Snapshots, MIGRATIONS, path)
    assert [snapshot.uploaded_for for snapshot in snapshots] == ["user-registrar", ""]
    assert [(snapshot.skipped_sheets, snapshot.correction) for snapshot in snapshots] == [
        ((), None),
        ((), None),
    ]


async def test_rosters_of_schema_1_were_not_repeated(mongo_url: str) -> None:
    path = DUMPS / "rosters-1.json"
    rosters = await old_documents.check_upgrade(mongo_url, Rosters, MIGRATIONS, path)
    assert [(roster.row_count, roster.repeated_at) for roster in rosters] == [
        (809, None),
        (0, None),
    ]


async def test_decisions_of_schema_1_were_recorded_for_nobody_else(mongo_url: str) -> None:
    path = DUMPS / "tpp_decisions-1.json"
    decisions = await old_documents.check_upgrade(mongo_url, Decisions, MIGRATIONS, path)
    assert [decision.recorded_for for decision in decisions] == [""]


async def test_programmes_of_schema_1_belong_to_all_facilities(mongo_url: str) -> None:
    path = DUMPS / "programmes-1.json"
    [programme] = await old_documents.check_upgrade(mongo_url, Programmes, MIGRATIONS, path)
    assert programme.owner == "*"
    body = ProgrammeBody.of(programme)
    hours = [edition.completion.min_lesson_hours for edition in body.editions]
    assert hours == [None, 100]


async def test_classes_of_schema_1_were_closed_without_a_reason(mongo_url: str) -> None:
    path = DUMPS / "classes-1.json"
    [closed] = await old_documents.check_upgrade(mongo_url, Classes, MIGRATIONS, path)
    assert (closed.state, closed.closed_because) == ("CLOSED", "")


async def test_suspensions_of_schema_1_are_published_on_their_days(mongo_url: str) -> None:
    path = DUMPS / "enrolments-1.json"
    enrolments = await old_documents.check_upgrade(mongo_url, Enrolments, MIGRATIONS, path)
    assert [each.changes_on for each in enrolments] == [date(2026, 12, 1), None, None]
    assert [each.is_suspension_published for each in enrolments] == [False, True, False]


async def test_row_errors_of_schema_1_lose_their_raw_cell(mongo_url: str) -> None:
    path = DUMPS / "row_errors-1.json"
    [reported] = await old_documents.check_upgrade(
        mongo_url, RowErrors, MIGRATIONS, path, changed=frozenset({"error"})
    )
    assert (reported.error.raw, reported.error.row, reported.error.field) == ("", 7, "absence")


async def test_tasks_of_schema_1_lose_what_the_stopped_row_says(mongo_url: str) -> None:
    path = DUMPS / "tasks-1.json"
    changed = frozenset({"facts", "subject", "dedupe_key"})
    missing, stopped = await old_documents.check_upgrade(
        mongo_url, Tasks, MIGRATIONS, path, changed=changed
    )
    assert (missing.facts, missing.subject) == ({"blok": "A"}, "")
    assert stopped.facts.keys() == {"field", "reason", "column", "row", "sheet"}
    assert stopped.dedupe_key == "ROW_STOPPED/LP-TJP/0193-task-s"


async def test_inbox_items_become_tasks(mongo_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chassis_migrations, "PAGE_DOCUMENTS", 2)
    items = old_documents.load(DUMPS / "inbox_items.json")
    [move] = [migration for migration in MIGRATIONS if migration.name == "inbox_items-to-tasks"]
    async with old_documents.database_with(mongo_url, "inbox_items", items) as db:
        repeated = {"_id": "key", "collection": "inbox_items", "resource": items[0]["_id"]}
        await db.insert("idempotency", [repeated])
        await old_documents.start(db, old_documents.transaction_of(Tasks), [move])
        assert await db.find("tasks", {}, sort=[("_id", 1)]) == items
        assert await db.count("inbox_items", {}) == 0
        assert await db.find("idempotency", {}) == [repeated | {"collection": "tasks"}]


async def test_a_move_that_was_interrupted_goes_on(
    mongo_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chassis_migrations, "PAGE_DOCUMENTS", 2)
    items = old_documents.load(DUMPS / "inbox_items.json")
    [move] = [migration for migration in MIGRATIONS if migration.name == "inbox_items-to-tasks"]
    async with old_documents.database_with(mongo_url, "inbox_items", items) as db:
        assert await move.step(db, "") == items[1]["_id"]
        assert await db.count("inbox_items", {}) == 3
        await migrate(db, [move], "test")
        assert await db.find("tasks", {}, sort=[("_id", 1)]) == items
