"""What a log line tells, and what it never does."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from chassis import telemetry


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the log goes meanwhile."""
    before, handlers, level = structlog.get_config(), logging.root.handlers[:], logging.root.level
    written = io.StringIO()
    telemetry.configure("shop", "info", stream=written)
    yield written
    structlog.configure(**before)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def test_a_log_line_tells_kinds_and_places_of_an_exception_but_none_of_its_words(stream: io.StringIO) -> None:
    try:
        int("Siti Aminah 9902030405060007")
    except ValueError:
        telemetry.log("here").exception("went_wrong", jar="j", name="Siti")
    line = json.loads(stream.getvalue())
    assert (line["jar"], line["name"], line["exception"]) == ("j", "[hidden]", ["ValueError"])
    assert "test_telemetry.py" in line["places"][0]
    assert "Siti" not in stream.getvalue()


def test_what_aiokafka_says_hundreds_of_times_a_second_is_written_once(stream: io.StringIO) -> None:
    for _ in range(300):
        logging.getLogger("aiokafka.conn").error("Unable connect to node with id 1")
        logging.getLogger("somebody").error("something else")
    lines = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert (lines.count("Unable connect to node with id 1"), lines.count("something else")) == (1, 300)
