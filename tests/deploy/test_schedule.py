"""The order of the tests: places that it names are there, and what measures is last and in one hand. Not here: the tests."""

from __future__ import annotations

import pytest

from tests import schedule


@pytest.mark.parametrize("place", sorted({*schedule.LONG, *schedule.APART, *schedule.TOGETHER, *schedule.MEASURING}))
def test_every_place_that_the_schedule_names_is_there(place: str) -> None:
    assert (schedule.HERE / place).exists()


def test_long_tests_begin_first_and_those_that_measure_last() -> None:
    files = ["chassis/test_contention.py", "chassis/test_inbox.py", "deploy/test_cli.py", "crash/test_kills.py", "gateway/test_walk.py", "system/test_watch.py"]
    ordered = sorted(files, key=lambda file: schedule.turn(schedule.HERE / file))
    assert ordered == ["crash/test_kills.py", "system/test_watch.py", "deploy/test_cli.py", "chassis/test_inbox.py", "gateway/test_walk.py", "chassis/test_contention.py"]


def test_a_worker_takes_a_file_a_test_with_servers_of_its_own_or_all_that_share_a_system() -> None:
    assert schedule.unit("tests/chassis/test_inbox.py::test_a") == schedule.unit("tests/chassis/test_inbox.py::test_b[x::y]")
    assert schedule.unit("tests/crash/test_kills.py::test_a") != schedule.unit("tests/crash/test_kills.py::test_b")
    assert schedule.unit("tests/system/test_watch.py::test_a") == schedule.unit("tests/system/test_main_job.py::test_b")
    assert len({schedule.unit(f"tests/{file}::test_a") for file in schedule.MEASURING}) == 1  # two would wait for each other without end
