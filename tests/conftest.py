"""Real servers for tests: one mongod and one Kafka per run, shared by all workers, started by the first test that asks for one."""

import fcntl
import os
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pymongo
import pytest

from ops import children, servers
from tests import containers

pytest_plugins = ["tests.scenarios"]

_PLACE = "BINA_TEST_PLACE"  # of this run: set by the process that leads it, inherited by its xdist workers
_LEADER = "BINA_TEST_LEADER"
_START_SECONDS = 180.0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--containers", action="store_true", help="run MongoDB and Kafka as containers instead of the embedded ones")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        os.environ[_PLACE] = tempfile.mkdtemp(prefix="bina-test-")
        os.environ[_LEADER] = str(os.getpid())


def pytest_unconfigure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    place = Path(os.environ.pop(_PLACE))
    for keeper in place.glob("*.keeper"):
        children.stop(int(keeper.read_text()), grace=30.0)
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
def mongo_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """URL of the administrator of a replica set: BINA_MONGO_URL, a container, or an embedded mongod."""
    yield from _address("mongod", os.environ.get("BINA_MONGO_URL"), pytestconfig)


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> Iterator[str]:
    """Bootstrap address: BINA_KAFKA, a container, or an embedded Kafka."""
    yield from _address("kafka", os.environ.get("BINA_KAFKA"), pytestconfig)


@pytest.fixture
def database(mongo_url: str) -> Iterator[str]:
    """A database name nobody else uses, dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:20]}"
    yield name
    with pymongo.MongoClient[dict[str, object]](mongo_url) as client:
        client.drop_database(name)


def _address(part: str, given: str | None, config: pytest.Config) -> Iterator[str]:
    if given:
        yield given
    elif config.getoption("--containers"):
        with containers.RUNNING[part]() as address:
            yield address
    else:
        yield _embedded(part)


def _embedded(part: str) -> str:
    place = Path(os.environ[_PLACE])
    address, failed, keeper = place / part, place / f"{part}.{servers.FAILED}", place / f"{part}.keeper"
    with (place / f"{part}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not keeper.exists():
            log = place / f"{part}.log"
            command = [sys.executable, "-m", "ops.servers", part, str(place), os.environ[_LEADER]]
            output = [(os.POSIX_SPAWN_OPEN, stream, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) for stream in (1, 2)]
            keeper.write_text(str(os.posix_spawn(sys.executable, command, os.environ, file_actions=output, setsid=True)))
        pid = int(keeper.read_text())
        deadline = time.monotonic() + _START_SECONDS
        while not address.exists():
            if failed.exists():
                pytest.exit(failed.read_text(), returncode=3)
            if children.born(pid) is None or time.monotonic() > deadline:
                pytest.exit(f"{part} did not start:\n{children.tail(place / f'{part}.log', 20)}", returncode=3)
            time.sleep(0.05)
    return address.read_text()
