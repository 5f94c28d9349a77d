"""The log as a production process writes it, for one test. Not here: tests."""

from __future__ import annotations

import io
import logging
from collections.abc import Generator
from contextlib import contextmanager

import structlog

from chassis import telemetry


@contextmanager
def production_log(service: str, level: str) -> Generator[io.StringIO]:
    """Yield the stream to which the log goes; the log of the tests is restored afterwards.

    No logger is cached: it would keep this stream in the tests that follow.
    """
    before = structlog.get_config()
    handlers = logging.root.handlers[:]
    root_level = logging.root.level
    written = io.StringIO()
    telemetry.configure(service, level, stream=written)
    structlog.configure(cache_logger_on_first_use=False)
    try:
        yield written
    finally:
        structlog.configure(**before)
        structlog.contextvars.unbind_contextvars("service")
        logging.root.handlers[:] = handlers
        logging.root.setLevel(root_level)
