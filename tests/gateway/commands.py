"""Recording of MongoDB commands during a test. Not here: tests."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from pymongo import monitoring


class Commands(monitoring.CommandListener):
    """Name and collection of every command, as the drivers report them from any thread."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Record a command that is sent."""
        self.seen.append((event.command_name, str(event.command.get(event.command_name))))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Ignore successful commands."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Ignore failed commands."""


@contextmanager
def listening() -> Generator[Commands]:
    """Record the commands of every client that is created in the block."""
    listener = Commands()
    monitoring.register(listener)
    try:
        yield listener
    finally:
        # pymongo has no public function to unregister a listener.
        heard: Any = monitoring._LISTENERS  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        heard.command_listeners.remove(listener)
