"""Throw-away servers for tests and benches, ended with the process they are kept for; what does not belong here: the lasting system of `up`."""

import argparse
import asyncio
import secrets
import shutil
import signal
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from ops.errors import OperatorError
from ops.local import kafka_broker, mongod, platform_checks, processes

FAILED_SUFFIX = "failed"


@asynccontextmanager
async def running_mongod(data: Path, cache_gb: float = mongod.CACHE_GB) -> AsyncGenerator[str]:
    """The administrator's URL of a mongod that lives as long as the block."""
    server = await mongod.start(
        data,
        platform_checks.find_free_ports(1)[0],
        secrets.token_hex(16),
        data / "mongod.log",
        cache_gb=cache_gb,
    )
    try:
        yield server.url
    finally:
        processes.end(server.process)


@asynccontextmanager
async def running_kafka(data: Path) -> AsyncGenerator[str]:
    """The bootstrap address of a Kafka that lives as long as the block."""
    port, controller_port = platform_checks.find_free_ports(2)
    server = await kafka_broker.start(data, port, controller_port, data / "kafka.log")
    try:
        yield server.bootstrap
    finally:
        processes.end(server.process)


@asynccontextmanager
async def use_existing(address: str) -> AsyncGenerator[str]:
    """A server that runs elsewhere."""
    yield address


SERVERS = {"mongod": running_mongod, "kafka": running_kafka}


async def run_until_ended(server: str, directory: Path, watched_pid: int) -> None:
    """Run the part until the watched process ends or we are told to stop; its address goes to `<place>/<part>`, a reason not to run to `<part>.failed`."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)

    def watch() -> None:
        processes.wait_for_end(watched_pid)
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=watch, daemon=True).start()
    data = directory / f"{server}.data"
    try:
        async with SERVERS[server](data) as address:
            _write(directory / server, address)
            await ended.wait()
    except OperatorError as trouble:
        _write(directory / f"{server}.{FAILED_SUFFIX}", str(trouble))
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.rename(path)


def main() -> None:
    """`python -m ops.local.ephemeral_servers PART PLACE WATCHED_PID`, started by tests/conftest.py."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("part", choices=sorted(SERVERS))
    arguments.add_argument("place", type=Path)
    arguments.add_argument("watched", type=int)
    given = arguments.parse_args()
    asyncio.run(run_until_ended(given.part, given.place, given.watched))


if __name__ == "__main__":
    sys.exit(main())
