"""The schedule file is reloaded while the server runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from ops.local.state_dir import ROOT
from ops.oncall import config, run
from ops.oncall.rules import OnCallSchedule
from tests.fakes import eventually

SAMPLE = (ROOT / "deploy/monitoring/oncall.toml").read_text()


async def test_a_changed_schedule_is_adopted_and_an_unusable_one_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(run, "RELOAD_SECONDS", 0.01)
    (file := tmp_path / "oncall.toml").write_text(SAMPLE)
    adopted: list[OnCallSchedule] = []
    life = run.follow_file(file, adopted.append, web.Application())
    await anext(life)

    async def heard(number: int, refused: int) -> bool:
        return (len(adopted), caplog.text.count("keeping the old one")) == (number, refused)

    for refused, broken in enumerate(
        (
            "[people",
            SAMPLE.replace("page = 15", "page = 0"),
            "link = 1",
            SAMPLE.replace("[people]", "[persons]"),
        ),
        1,
    ):
        file.write_text(broken)
        await eventually(lambda refused=refused: heard(0, refused))
    file.write_text(SAMPLE.replace("piket-dua@bina.example", "piket-tiga@bina.example"))
    await eventually(lambda: heard(1, 4))
    assert adopted[0] == config.read_schedule(file)
    assert adopted[0].people["piket-dua"] == "mailto:piket-tiga@bina.example"
    file.unlink()
    await eventually(lambda: heard(1, 5))
    with pytest.raises(StopAsyncIteration):
        await anext(life)
