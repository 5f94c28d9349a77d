"""What a log line tells, and what it never does."""

from __future__ import annotations

import io
import json
import logging

import structlog

from chassis import telemetry


def test_a_log_line_tells_kinds_and_places_of_an_exception_but_none_of_its_words() -> None:
    stream = io.StringIO()
    before, handlers, level = structlog.get_config(), logging.root.handlers[:], logging.root.level
    try:
        telemetry.configure("shop", "info", stream=stream)
        try:
            int("Siti Aminah 9902030405060007")
        except ValueError:
            telemetry.log("here").exception("went_wrong", jar="j", name="Siti")
    finally:
        structlog.configure(**before)
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
    line = json.loads(stream.getvalue())
    assert (line["jar"], line["name"], line["exception"]) == ("j", "[hidden]", ["ValueError"])
    assert "test_telemetry.py" in line["places"][0]
    assert "Siti" not in stream.getvalue()
