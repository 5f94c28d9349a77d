"""The schedule of tests: its paths exist, and measuring tests run last and on one worker."""

from __future__ import annotations

import itertools
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
        "training/tpp/test_api.py",
        "system/test_watch.py",
    ]
    ordered = sorted(files, key=lambda file: schedule.turn(schedule.HERE / file))
    assert [*ordered[:4], *ordered[6:]] == [
        "crash/test_kills.py",
        "system/test_watch.py",
        "ops/test_cli.py",
        "training/tpp/test_api.py",
        "chassis/persistence/test_contention.py",
    ]


def test_files_of_a_service_are_together_in_groups_that_it_is_started_for() -> None:
    files = [str(path.relative_to(schedule.HERE.parent)) for path in _files_of("training")]
    units = {schedule.unit(f"{file}::test_a") for file in files}
    assert units == {f"training {number}" for number in range(schedule.GROUPS["training"])}
    ordered = sorted(files, key=lambda file: schedule.turn(schedule.HERE.parent / file))
    changes = [schedule.unit(file) for file in ordered]
    assert sum(one != other for one, other in itertools.pairwise(changes)) == len(units) - 1


@pytest.mark.parametrize("service", schedule.GROUPS)
def test_the_tests_of_a_service_are_a_package_whose_fixtures_end_with_it(service: str) -> None:
    """Without `__init__.py` their running service would live as long as the worker."""
    assert (schedule.HERE / service / "__init__.py").exists()


def _files_of(service: str) -> list[Path]:
    return [
        path
        for path in (schedule.HERE / service).rglob("test_*.py")
        if f"{service}/{path.name}" not in schedule.LONG
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
    home = tmp_path / "tests"
    measuring = home / schedule.MEASURING[0]
    measuring.parent.mkdir(parents=True)
    for file, text in (
        (home / "conftest.py", CONFTEST),
        (home / "test_another.py", ANOTHER),
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
        f"--rootdir={tmp_path}",
        "tests",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout
