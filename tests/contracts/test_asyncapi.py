"""docs/asyncapi.json is valid for the official AsyncAPI parser.

The pinned npm packages are installed once into their own folder.
"""

from __future__ import annotations

import fcntl
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ops.docs.generate import ASYNCAPI
from tests.contracts.golden import published

PLACE = Path(__file__).with_name("asyncapi")
ERROR = 0
pytestmark = pytest.mark.needs("node", "npm")


def judged(document: str) -> dict[str, Any]:
    answer = subprocess.run(
        ["node", "judge.mjs"],  # noqa: S607 - found in PATH
        cwd=PLACE,
        input=document,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(answer.stdout)


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> None:
    with (tmp_path_factory.getbasetemp().parent / "asyncapi.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (PLACE / "node_modules" / ".package-lock.json").exists():
            subprocess.run(
                # Found in PATH.
                ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],  # noqa: S607
                cwd=PLACE,
                check=True,
                capture_output=True,
            )


def test_the_official_parser_finds_every_event_and_no_error() -> None:
    found = judged(ASYNCAPI.read_text(encoding="utf-8"))
    assert [one for one in found["said"] if one["severity"] == ERROR] == []
    assert found["version"].startswith("3.")
    assert sorted(found["messages"]) == sorted(published())


def test_the_official_parser_finds_an_error_where_one_is() -> None:
    document = json.loads(ASYNCAPI.read_text(encoding="utf-8"))
    operation = next(iter(document["operations"].values()))
    operation["action"] = "shout"
    errors = [one for one in judged(json.dumps(document))["said"] if one["severity"] == ERROR]
    assert any("action" in one["path"] for one in errors)
