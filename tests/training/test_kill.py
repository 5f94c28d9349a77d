"""A process killed in the middle of an import: the next one goes on, everybody moves once; and what it logged holds nobody."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from services.training.app import create_app
from services.training.settings import TrainingSettings
from tests.fakes import Keys, eventually, running
from tests.training import factories
from tests.training.test_import_rules import FILES, SNAPSHOTS

ROOT = Path(__file__).resolve().parents[2]
FILE = next(file for file in FILES if file["path"] == "LP-TJP/2026-11-16.csv")
PLAIN = ("kafka", "trusted_keys", "namespace", "mongo_driver", "environment")
OTHER = "1"  # the victim's replica: of two processes of one name the younger lives on, and this one is older
SECRET = ("mongo_url", "signing_key", "audit_key", "master_key", "lookup_key")


@pytest.mark.scenario("T25/resume")
@pytest.mark.scenario("T27/logs")
@pytest.mark.parametrize("point", ["written", "committed"])
async def test_an_import_killed_on_its_way_is_finished_by_the_next_process_with_every_movement_once(
    settings: TrainingSettings, keys: Keys, tmp_path: Path, point: str
) -> None:
    name = f"test_training_{point}_"
    own = settings.model_copy(
        update={
            "mongo_url": type(settings.mongo_url)(
                settings.mongo_url.get_secret_value().replace("test_training_", name)
            ),
            "namespace": f"{point}.{settings.namespace}",
        }
    )
    values = (
        {field: str(getattr(own, field)) for field in PLAIN}
        | {field: getattr(own, field).get_secret_value() for field in SECRET}
        | {"port": 0, "replica": OTHER}
    )
    told = {
        "settings": values,
        "keys": str(keys.directory),
        "private": dict(keys.private),
        "point": point,
        "file": str(SNAPSHOTS / FILE["path"]),
        "taken_at": FILE["taken_at"],
    }
    (tmp_path / "victim.json").write_text(json.dumps(told))
    with (tmp_path / "log").open("wb") as log:
        victim = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.training.killable_process",
            str(tmp_path / "victim.json"),
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        assert await asyncio.wait_for(victim.wait(), 90) == -signal.SIGKILL

    app = create_app(own)
    async with running(app, keys, "training") as client:
        database = factories.database(client)
        before = await database.count("movements", {})
        (snapshot,) = await eventually(
            lambda: database.find("snapshots", {"state": "APPLIED"}), seconds=60
        )
        movements = await database.find("movements", {})
        told_ids = [
            row["aggregate_id"]
            for row in await database.find("outbox", {"type": {"$regex": "participant-"}})
        ]
        identities = await database.find("identities", {})
    await factories.dropped(app)
    assert before < len(movements)
    assert snapshot["counts"] == {
        name: count
        for name, count in FILE["counts"].items()
        if name in {"admitted", "absent", "release_planned"}
    }
    assert sorted(told_ids) == sorted(movement["_id"] for movement in movements)
    assert len(movements) == FILE["counts"]["admitted"] + FILE["counts"]["absent"]
    logged = (tmp_path / "log").read_text()
    assert '"event": "prepared"' in logged
    assert not _named(logged, identities)


def _named(text: str, identities: list[dict[str, Any]]) -> list[str]:
    """Names and sixteen-digit numbers that stand in a text."""
    digits = "".join(character if character.isdigit() else " " for character in text).split()
    return [identity["name"] for identity in identities if identity["name"] in text] + [
        run for run in digits if len(run) == 16 and run.startswith("99")
    ]
