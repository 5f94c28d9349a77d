"""The scenarios of the domain documents that a run proves.

Here are the mark `scenario`, the list in scenarios.toml, and the file that `--scenarios` writes.
"""

import functools
import json
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

LIST = Path(__file__).with_name("scenarios.toml")
_PROPERTY = "scenario"


@functools.cache
def known() -> dict[str, tuple[str, ...]]:
    """Return the parts of each scenario id; one without parts is proved as a whole."""
    return {
        id_: tuple(entry.get("parts", ())) for id_, entry in tomllib.loads(LIST.read_text()).items()
    }


def verdict(
    scenarios: dict[str, tuple[str, ...]], results: dict[str, list[bool]]
) -> dict[str, list[str]]:
    """Return the proved and the missing scenarios.

    One is proved if every part (or the whole) has a test, and all its marked tests ran and passed.
    """

    def holds(id_: str) -> bool:
        needed = [f"{id_}/{part}" for part in scenarios[id_]] or [id_]
        return all(all(results.get(mark, [False])) for mark in [*needed, *({id_} & results.keys())])

    proved = [id_ for id_ in scenarios if holds(id_)]
    return {"proved": proved, "missing": [id_ for id_ in scenarios if id_ not in proved]}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--scenarios",
        type=Path,
        metavar="FILE",
        help="run the tests marked `scenario` and write which scenarios are proved to FILE",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "scenario(id): this test proves the scenario, or a part of it as in T15/training"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the scenarios to each test's report; with --scenarios deselect unmarked tests."""
    for item in items:
        item.user_properties.extend(
            (_PROPERTY, id_) for mark in item.iter_markers("scenario") for id_ in mark.args
        )
    if config.getoption("--scenarios") is not None:
        unmarked = [item for item in items if item.get_closest_marker("scenario") is None]
        config.hook.pytest_deselected(items=unmarked)
        items[:] = [item for item in items if item.get_closest_marker("scenario") is not None]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test whose mark names no known scenario."""
    scenarios = known()
    marks = {*scenarios, *(f"{id_}/{part}" for id_, parts in scenarios.items() for part in parts)}
    for name, value in item.user_properties:
        if name == _PROPERTY and value not in marks:
            pytest.fail(
                f"scenario {value!r} is not in tests/{LIST.name}: add it to the parts of its id",
                pytrace=False,
            )


class _Listener:
    """Collects every result, also those of xdist's workers, in the controlling process."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._passed: dict[str, bool] = {}
        self._marks: dict[str, list[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        ran = report.passed and not hasattr(report, "wasxfail")
        self._passed[report.nodeid] = self._passed.get(report.nodeid, True) and ran
        self._marks[report.nodeid] = [
            str(value) for name, value in report.user_properties if name == _PROPERTY
        ]

    def pytest_sessionfinish(self) -> None:
        results: dict[str, list[bool]] = defaultdict(list)
        for node, marks in self._marks.items():
            for mark in marks:
                results[mark].append(self._passed[node])
        path: Any = self._config.getoption("--scenarios")
        path.write_text(json.dumps(verdict(known(), results)))


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Register the listener, only in the controlling process."""
    if session.config.getoption("--scenarios") is not None and not hasattr(
        session.config, "workerinput"
    ):
        session.config.pluginmanager.register(_Listener(session.config), "scenario-listener")
