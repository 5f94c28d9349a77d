"""A Kafka broker that one test stops and starts again.

Not here: the broker that tests share (conftest).
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from ops.local import kafka_broker, platform_checks
from tests.fakes import eventually


class RestartableKafka:
    """A broker that one test stops and starts again on its data."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port, self.controller = platform_checks.find_free_ports(2)
        self.server: kafka_broker.Broker | None = None

    @property
    def bootstrap(self) -> str:
        return f"{platform_checks.LOOPBACK}:{self.port}"

    async def come(self) -> None:
        """Start the broker, or continue a stopped one."""
        if self.server and self.server.process.poll() is None:
            self.server.process.send_signal(signal.SIGCONT)
        else:
            self.server = await kafka_broker.start(
                self.directory, self.port, self.controller, self.directory.with_suffix(".log")
            )

    async def go(self, how: signal.Signals) -> None:
        """Send this signal and wait for the end, or until all threads are stopped (SIGSTOP)."""
        assert self.server
        process = self.server.process
        process.send_signal(how)
        if how == signal.SIGSTOP:
            await eventually(lambda: is_stopped(process.pid))
        else:
            await asyncio.to_thread(process.wait)

    async def end(self) -> None:
        """Kill the broker if it runs."""
        if self.server and self.server.process.poll() is None:
            await self.go(signal.SIGKILL)


def is_stopped(pid: int) -> bool:
    """Return whether the kernel shows every thread of a process as stopped."""
    states = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(state.rpartition(")")[2].split()[0] == "T" for state in states)
