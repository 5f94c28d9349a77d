"""The schedule of tests: its paths exist, and measuring tests run last and on one worker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops.local.state_dir import ROOT
from tests import schedule

CONFTEST = """
from pathlib import Path
from tests import schedule
schedule.HERE = Path(__file__).parent
def pytest_configure(config):
    config.pluginmanager.register(schedule)
"""
ANOTHER = """
import time
from pathlib import Path
def test_that_takes_its_time():
    time.sleep(1)
    Path("ended").touch()
"""
MEASURING = """
from pathlib import Path
def test_that_measures():
    assert Path("ended").exists()
"""


@pytest.mark.parametrize(
    "place", sorted({*schedule.LONG, *schedule.APART, *schedule.TOGETHER, *schedule.MEASURING})
)
def test_every_path_of_the_schedule_exists(place: str) -> None:
    assert (schedule.HERE / place).exists()


def test_long_tests_begin_first_and_those_that_measure_last() -> None:
    files = [
        "chassis/persistence/test_contention.py",
        "chassis/messaging/test_inbox.py",
        "ops/test_cli.py",
        "crash/test_kills.py",
        "gateway/test_walk.py",
        "system/test_watch.py",
    ]
    ordered = sorted(files, key=lambda file: schedule.turn(schedule.HERE / file))
    assert [*ordered[:3], *ordered[5:]] == [
        "crash/test_kills.py",
        "system/test_watch.py",
        "ops/test_cli.py",
        "chassis/persistence/test_contention.py",
    ]


def test_a_worker_takes_a_file_or_one_test_or_all_of_one_system() -> None:
    assert schedule.unit("tests/chassis/messaging/test_inbox.py::test_a") == schedule.unit(
        "tests/chassis/messaging/test_inbox.py::test_b[x::y]"
    )
    assert schedule.unit("tests/crash/test_kills.py::test_a") != schedule.unit(
        "tests/crash/test_kills.py::test_b"
    )
    assert schedule.unit("tests/system/test_watch.py::test_a") == schedule.unit(
        "tests/system/test_main_job.py::test_b"
    )
    assert (
        len({schedule.unit(f"tests/{file}::test_a") for file in schedule.MEASURING}) == 1
    )  # two workers would wait for each other without end


def test_a_measuring_test_begins_when_the_other_workers_have_ended(tmp_path: Path) -> None:
    measuring = tmp_path / schedule.MEASURING[0]
    measuring.parent.mkdir(parents=True)
    for file, text in (
        (tmp_path / "conftest.py", CONFTEST),
        (tmp_path / "test_another.py", ANOTHER),
        (measuring, MEASURING),
    ):
        file.write_text(text)
    env = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        schedule.PLACE: str(tmp_path),
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "xdist",
        "-n",
        "2",
        "--dist",
        "loadfile",
        str(tmp_path),
    ]
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout
