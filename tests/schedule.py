"""The order of tests and their distribution over xdist workers.

Long tests come first, tests of one running system or service go to one worker, and tests that
measure run alone at the end. Not here: the selection of tests.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

# The directory of a run: set by the controlling process, inherited by its xdist workers
PLACE = "BINA_TEST_PLACE"
HERE = Path(__file__).parent
# If they began last, one worker would still run them when the others have finished. Tests that
# mostly wait are placed between those that use the CPU.
LONG = (
    *(
        "crash",
        "certification/test_kill.py",
        "training/test_kill.py",
        "system",
        "ops/test_cli.py",
        "ops/test_three_steps.py",
        "ops/bench/test_figures.py",
    ),
    *("chassis/messaging/test_kafka_client.py", "chassis/messaging/test_outbox_relay.py"),
)
APART = (
    "crash",
    "ops/test_cli.py",
    "ops/test_three_steps.py",
)  # each test has servers of its own, so workers take them one by one
TOGETHER = tuple(
    f"system/test_{name}.py"
    for name in ("auditing", "integration_guide", "main_job", "operating", "watch")
)  # they share one running system
# Files of a service share one running service. Its groups take about a minute each: fewer would
# leave the last worker alone, more would start the service more often.
GROUPS = {"training": 8, "certification": 5, "marketplace": 4, "manpower": 6}
MEASURING = (
    "chassis/persistence/test_contention.py",
)  # their limits hold only if the machine does nothing else
_room = pytest.StashKey[Any]()


def turn(path: Path) -> tuple[int, str, str]:
    """Return the sort key of a file: long tests first, then services, measuring ones last.

    Units are shuffled by their hash: files of one directory are alike, and would all wait or all
    use the CPU at the same time.
    """
    file = str(path.relative_to(HERE))
    for number, place in enumerate(LONG):
        if _among(path, (place,)):
            return number, "", ""
    if _among(path, MEASURING):
        return len(LONG) + 2, "", ""
    group = _group(path)
    return len(LONG) + (not group), _hashed(group or file), file


def unit(nodeid: str) -> str:
    """Return the name of the unit that a worker takes as a whole.

    A unit is a group of files of one service, or one file, except where APART, TOGETHER or
    MEASURING say otherwise.
    """
    file = nodeid.partition("::")[0]
    path = HERE.parent / file
    if _among(path, APART):
        return nodeid
    if _among(path, TOGETHER):
        return "system"
    return "measuring" if _among(path, MEASURING) else _group(path) or file


def _group(path: Path) -> str:
    """Return the name of the group of a file of a service, or nothing."""
    service = path.relative_to(HERE).parts[0]
    if service not in GROUPS or _among(path, LONG):
        return ""
    return (
        f"{service} {zlib.crc32(path.name.encode() + path.parent.name.encode()) % GROUPS[service]}"
    )


def _hashed(name: str) -> str:
    return f"{zlib.crc32(name.encode()):08x}"


class Units(LoadFileScheduling):
    """Distributes units to workers."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Units | None:
    return Units(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_sessionstart(session: pytest.Session) -> None:
    """Hold the shared lock `room` until this worker ends."""
    if hasattr(session.config, "workerinput"):
        room = session.config.stash[_room] = (Path(os.environ[PLACE]) / "room").open("w")
        fcntl.flock(room, fcntl.LOCK_SH)
        session.config.add_cleanup(room.close)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Begin a test that measures only when all other workers have finished.

    Its unit is the last of the queue and the only one that waits. The wait is not part of any
    time limit.
    """
    if (room := item.config.stash.get(_room, None)) and _among(item.path, MEASURING):
        fcntl.flock(room, fcntl.LOCK_EX)
    return (yield)


def _among(path: Path, places: tuple[str, ...]) -> bool:
    return any(path.is_relative_to(HERE / place) for place in places)
