"""Real servers for tests.

One mongod and one Kafka per run, shared by all workers, started by the first test that needs one.
"""

import fcntl
import json
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import hypothesis
import pymongo
import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import telemetry
from ops.local import ephemeral_servers, processes
from tests import containers, schedule
from tests.installation import eventually
from tests.schedule import PLACE

pytest_plugins = ["tests.scenarios"]
hypothesis.settings.register_profile(
    "bina", deadline=None, derandomize=bool(os.environ.get("CI"))
)  # the speed of a machine is no result
hypothesis.settings.load_profile("bina")

_LEADER = "BINA_TEST_LEADER"
_OTHER_PROCESSES = {
    "cluster",
    "crash",
    "deploy",
    "docs",
    "ops",
    "system",
}  # their tests start processes and servers of their own
_ALONE = {
    "--crash": "crash/test_kills.py",
    "--cluster": "cluster",
    "--soak": "crash/test_broker_away.py",
    "--compose": "deploy/test_compose_up.py",
}
_ONLY_ALONE = tuple(Path(__file__).parent / _ALONE[option] for option in ("--cluster", "--compose"))
_CI_INSTALLS = {
    "curl",
    "promtool",
    "prometheus",
    "amtool",
    "prometheus-alertmanager",
    "kustomize",
    "node",
    "npm",
    "wrk",
    "nginx",
}
_START_SECONDS = 180.0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--containers",
        action="store_true",
        help="run the wire tests, and MongoDB and Kafka as containers instead of the embedded ones",
    )
    parser.addoption("--quick", action="store_true", help="run only what needs no server")
    parser.addoption(
        "--crash",
        type=int,
        metavar="N",
        help="run only the crash matrix, with N kills at each point",
    )
    parser.addoption(
        "--cluster",
        action="store_true",
        help="run only the tests of clusters, which are left out otherwise",
    )
    parser.addoption(
        "--compose",
        action="store_true",
        help=(
            "run only the test of docker-compose.yml, which needs Docker and is left out otherwise"
        ),
    )
    parser.addoption(
        "--soak",
        action="store_true",
        help="run only the tests of an absent broker, one of them for ten minutes",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(schedule)
    config.addinivalue_line(
        "markers", "needs(tool): this test runs a program that is no Python package"
    )
    _choose_indonesian()
    _log_plain_tracebacks()
    if not hasattr(config, "workerinput"):
        os.environ[PLACE] = tempfile.mkdtemp(prefix="bina-test-")
        os.environ[_LEADER] = str(os.getpid())


def _choose_indonesian() -> None:
    """Let the commands speak Indonesian, whatever the developer's locale is."""
    os.environ.pop("LC_ALL", None)
    os.environ.pop("LC_MESSAGES", None)
    os.environ["LANG"] = "C.UTF-8"


def _log_plain_tracebacks() -> None:
    """Log without the values of local variables, whose rendering takes seconds a traceback."""
    renderer = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            renderer,
        ]
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests that the options name.

    `--quick`: those without a server; `--containers`: those with a server in this process;
    `--crash`, `--cluster`, `--soak`, `--compose`: what they name.
    """
    alone = [
        Path(__file__).parent / directory
        for option, directory in _ALONE.items()
        if config.getoption(option)
    ]
    if alone:
        kept = [
            item
            for item in items
            if any(item.path.is_relative_to(directory) for directory in alone)
        ]
    elif config.getoption("--quick"):
        kept = [
            item
            for item in items
            if not _asks_for_server(item) and not _runs_other_processes(item.path)
        ]
    elif config.getoption("--containers"):
        kept = [
            item
            for item in items
            if _asks_for_server(item) and not _runs_other_processes(item.path)
        ]
    else:
        kept = [
            item
            for item in items
            if not any(item.path.is_relative_to(directory) for directory in _ONLY_ALONE)
        ]
        kept.sort(key=lambda item: schedule.turn(item.path))
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that `needs` a missing tool; fail in CI when CI installs the tool."""
    for mark in item.iter_markers("needs"):
        missing = [tool for tool in mark.args if shutil.which(tool) is None]
        if missing and os.environ.get("CI") == "true" and set(missing) & _CI_INSTALLS:
            pytest.fail(f"{', '.join(missing)} is missing, which .ci/run installs", pytrace=False)
        if missing:
            pytest.skip(f"needs {', '.join(missing)}")


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Return an exporter that holds the process's own finished spans."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "tracer", provider.get_tracer("test"))
    return exporter


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests measured (property `figures`), one JSON document a line."""
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        for name, figures in report.user_properties:
            if name == "figures" and report.when == "call":
                terminalreporter.write_line(
                    f"{report.nodeid.rpartition('::')[2]}: {json.dumps(figures)}"
                )


def pytest_unconfigure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    directory = Path(os.environ.pop(PLACE))
    for keeper in directory.glob("*.keeper"):
        processes.stop(int(keeper.read_text()), grace=30.0)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def mongo_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """Yield the administrator's URL of a replica set.

    The server is that of BINA_MONGO_URL, a container, or an embedded mongod.
    """
    yield from _address("mongod", os.environ.get("BINA_MONGO_URL"), pytestconfig)


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> Iterator[str]:
    """Yield a bootstrap address: of BINA_KAFKA, a container, or an embedded Kafka."""
    yield from _address("kafka", os.environ.get("BINA_KAFKA"), pytestconfig)


@pytest.fixture
def database(mongo_url: str) -> Iterator[str]:
    """Yield a database name that nobody else uses; drop the database afterwards."""
    name = f"test_{uuid.uuid4().hex[:20]}"
    yield name
    with pymongo.MongoClient[dict[str, object]](mongo_url) as client:
        client.drop_database(name)


def _runs_other_processes(path: Path) -> bool:
    parts = path.relative_to(Path(__file__).parent).parts
    return parts[0] in _OTHER_PROCESSES and parts[:2] != ("ops", "oncall")


def _asks_for_server(item: pytest.Item) -> bool:
    return bool({"mongo_url", "kafka"} & set(getattr(item, "fixturenames", ())))


def _address(part: str, given: str | None, config: pytest.Config) -> Iterator[str]:
    if given:
        yield given
    elif config.getoption("--containers"):
        with containers.RUNNING[part]() as address:
            yield address
    else:
        yield _embedded(part)


def _embedded(part: str) -> str:
    directory = Path(os.environ[PLACE])
    address = directory / part
    failed = directory / f"{part}.{ephemeral_servers.FAILED_SUFFIX}"
    keeper = directory / f"{part}.keeper"
    with (directory / f"{part}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not keeper.exists():
            log = directory / f"{part}.log"
            command = [
                sys.executable,
                "-m",
                "ops.local.ephemeral_servers",
                part,
                str(directory),
                os.environ[_LEADER],
            ]
            output = [
                (
                    os.POSIX_SPAWN_OPEN,
                    stream,
                    str(log),
                    os.O_WRONLY | os.O_CREAT | os.O_APPEND,
                    0o600,
                )
                for stream in (1, 2)
            ]
            keeper.write_text(
                str(
                    os.posix_spawn(
                        sys.executable, command, os.environ, file_actions=output, setsid=True
                    )
                )
            )
        pid = int(keeper.read_text())

        def has_ended_or_started() -> bool:
            return address.exists() or failed.exists() or processes.start_time(pid) is None

        with suppress(AssertionError):
            eventually(has_ended_or_started, _START_SECONDS)
        if not address.exists():
            log_tail = processes.tail(directory / f"{part}.log", 20)
            reason = failed.read_text() if failed.exists() else f"{part} did not start:\n{log_tail}"
            pytest.exit(reason, returncode=3)
    return address.read_text()
