"""What a log line tells, and what it never does."""

from __future__ import annotations

import io
import json
import logging
import re
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


def test_a_log_line_tells_kinds_and_places_of_an_exception_but_none_of_its_words(
    stream: io.StringIO,
) -> None:
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
    assert (lines.count("Unable connect to node with id 1"), lines.count("something else")) == (
        1,
        300,
    )


def test_a_new_trace_that_nobody_will_see_has_ids_all_the_same_and_one_that_the_caller_sees_stays_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telemetry.tracer, "share", 0.0)
    with telemetry.span("outer") as outer:
        unseen = telemetry.current_traceparent()
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", unseen)
        assert (outer.is_recording(), telemetry.is_sampled(unseen), telemetry.exemplar()) == (
            False,
            False,
            None,
        )
        with telemetry.span("inner"):
            assert telemetry.current_traceparent()[:35] == unseen[:35]
    with telemetry.span("another", of=""):
        assert telemetry.current_traceparent()[:35] != unseen[:35]
    with telemetry.span("seen", of=f"00-{'a' * 32}-{'b' * 16}-01"):
        assert telemetry.current_traceparent()[:35] == f"00-{'a' * 32}"
        assert telemetry.exemplar() == {"trace_id": "a" * 32}
