"""A process killed during an import: the next one finishes it, and its log names nobody."""

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
from tests.training.test_sample_files import FILES, SNAPSHOTS

ROOT = Path(__file__).resolve().parents[2]
FILE = next(file for file in FILES if file["path"] == "LP-TJP/2026-11-16.csv")
PLAIN = ("kafka", "trusted_keys", "namespace", "mongo_driver", "environment")
# of two processes of one replica name the younger stays, and the test's own process is older
OTHER_REPLICA = "1"
SECRET = ("mongo_url", "signing_key", "audit_key", "master_key", "lookup_key")


@pytest.mark.scenario("T25/resume")
@pytest.mark.scenario("T27/logs")
@pytest.mark.parametrize("point", ["written", "committed"])
async def test_a_killed_import_is_finished_with_every_movement_once(
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
        | {"port": 0, "replica": OTHER_REPLICA}
    )
    question = {
        "settings": values,
        "keys": str(keys.directory),
        "private": dict(keys.private),
        "point": point,
        "file": str(SNAPSHOTS / FILE["path"]),
        "taken_at": FILE["taken_at"],
    }
    (tmp_path / "question.json").write_text(json.dumps(question))
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.training.killable_process",
            str(tmp_path / "question.json"),
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        assert await asyncio.wait_for(process.wait(), 90) == -signal.SIGKILL

    app = create_app(own)
    async with running(app, keys, "training") as client:
        database = factories.database(client)
        before = await database.count("movements", {})
        (snapshot,) = await eventually(
            lambda: database.find("snapshots", {"state": "APPLIED"}), seconds=60
        )
        movements = await database.find("movements", {})
        published_ids = [
            row["aggregate_id"]
            for row in await database.find("outbox", {"type": {"$regex": "participant-"}})
        ]
        identities = await database.find("identities", {})
    await factories.drop_database(app)
    assert before < len(movements)
    assert snapshot["counts"] == {
        name: count
        for name, count in FILE["counts"].items()
        if name in {"admitted", "absent", "release_planned"}
    }
    assert sorted(published_ids) == sorted(movement["_id"] for movement in movements)
    assert len(movements) == FILE["counts"]["admitted"] + FILE["counts"]["absent"]
    logged = (tmp_path / "log").read_text()
    assert '"event": "prepared"' in logged
    assert not _find_personal_data(logged, identities)


def _find_personal_data(text: str, identities: list[dict[str, Any]]) -> list[str]:
    """Return the names and the sixteen-digit numbers in a text."""
    names = [identity["name"] for identity in identities if identity["name"] in text]
    digits = "".join(character if character.isdigit() else " " for character in text).split()
    niks = [number for number in digits if len(number) == 16 and number.startswith("99")]
    return names + niks
