"""What `status` says of keys that are being replaced."""

from __future__ import annotations

import pytest

from ops.local.status import describe_key_rotation

FILE = "training_former_master_key"
RUNNING = {"former": ["master_key"], "left": 120, "unreadable": 0, "finished_at": None}
ENDED = RUNNING | {"finished_at": "2026-11-30T23:00:00+00:00"}


@pytest.mark.parametrize(
    ("rotation", "said"),
    [
        ({}, ""),
        (RUNNING | {"left": None}, f"counts what needs {FILE}"),
        (RUNNING, f"120 values still need {FILE} and are being renewed"),
        (ENDED | {"left": 0}, f"no value needs {FILE}: the file may be removed"),
        (
            ENDED | {"left": 2, "unreadable": 1},
            f"2 values still need {FILE} (1 are unreadable), see docs/keys.md",
        ),
    ],
)
def test_status_says_how_far_the_replacement_of_a_key_is(
    monkeypatch: pytest.MonkeyPatch, rotation: dict[str, object], said: str
) -> None:
    monkeypatch.setenv("BINA_LANG", "en")
    assert describe_key_rotation("training", rotation) == said
