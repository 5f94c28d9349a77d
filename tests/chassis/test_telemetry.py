"""Logged exceptions have classes and source lines only; traces keep their sampling decision."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from chassis import telemetry
from tests.logs import production_log


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Return the stream to which the test's log goes."""
    with production_log("shop", "info") as written:
        yield written


def test_a_log_line_shows_class_and_line_of_an_exception_only(stream: io.StringIO) -> None:
    try:
        int("Siti Aminah 9902030405060007")
    except ValueError:
        telemetry.log("here").exception("went_wrong", jar="j", name="Siti")
    line = json.loads(stream.getvalue())
    assert (line["jar"], line["name"], line["exception"]) == ("j", "[hidden]", ["ValueError"])
    assert "test_telemetry.py" in line["places"][0]
    assert "Siti" not in stream.getvalue()


def test_a_line_that_aiokafka_repeats_is_one_warning(stream: io.StringIO) -> None:
    for _ in range(300):
        logging.getLogger("aiokafka.conn").error("Unable connect to node with id 1")
        logging.getLogger("another").error("something else")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    levels = [(line["event"], line["level"]) for line in lines]
    assert levels.count(("Unable connect to node with id 1", "warning")) == 1
    assert levels.count(("something else", "error")) == 300


@pytest.fixture
def never_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process sample none of the traces that begin in it."""
    provider = telemetry.new_tracer_provider("shop", 0.0, None)
    monkeypatch.setattr(telemetry, "tracer", provider.get_tracer("test"))


@pytest.mark.usefixtures("never_sampled")
def test_a_new_trace_that_is_not_sampled_has_ids() -> None:
    with telemetry.span("outer") as outer:
        traceparent = telemetry.current_traceparent()
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[02]", traceparent)
        assert not outer.is_recording()
        assert not telemetry.is_sampled(traceparent)
        assert telemetry.exemplar() is None
        with telemetry.span("inner"):
            assert telemetry.current_traceparent()[:35] == traceparent[:35]
    with telemetry.span("another", of=""):
        assert telemetry.current_traceparent()[:35] != traceparent[:35]


@pytest.mark.usefixtures("never_sampled")
def test_a_trace_that_its_caller_samples_stays_sampled() -> None:
    with telemetry.span("seen", of=f"00-{'a' * 32}-{'b' * 16}-01"):
        assert telemetry.current_traceparent()[:35] == f"00-{'a' * 32}"
        assert telemetry.exemplar() == {"trace_id": "a" * 32}


@pytest.mark.parametrize(
    ("traceparent", "is_sampled"),
    [
        (f"00-{'a' * 32}-{'b' * 16}-01", True),
        (f"00-{'a' * 32}-{'b' * 16}-00", False),
        (f"00-{'0' * 32}-{'b' * 16}-01", False),
        ("", False),
    ],
)
def test_sampled_is_the_last_bit_of_a_traceparent_with_an_id(
    traceparent: str, *, is_sampled: bool
) -> None:
    assert telemetry.is_sampled(traceparent) is is_sampled
