"""Throw-away servers for tests and benches; each ends with the process that it belongs to.

Not here: the system of `up`, which keeps its data.
"""

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
    """Yield the administrator's URL of a mongod that lives as long as the block."""
    [port] = platform_checks.find_free_ports(1)
    password = secrets.token_hex(16)
    log = data / "mongod.log"
    server = await mongod.start(data, port, password, log, cache_gb=cache_gb)
    try:
        yield server.url
    finally:
        processes.end(server.process)


@asynccontextmanager
async def running_kafka(data: Path) -> AsyncGenerator[str]:
    """Yield the bootstrap address of a Kafka that lives as long as the block."""
    port, controller_port = platform_checks.find_free_ports(2)
    server = await kafka_broker.start(data, port, controller_port, data / "kafka.log")
    try:
        yield server.bootstrap
    finally:
        processes.end(server.process)


@asynccontextmanager
async def use_existing(address: str) -> AsyncGenerator[str]:
    """Yield the address of a server that runs elsewhere."""
    yield address


SERVERS = {"mongod": running_mongod, "kafka": running_kafka}


async def run_until_ended(server: str, directory: Path, watched_pid: int) -> None:
    """Run a server until the watched process ends or SIGTERM arrives.

    Writes its address to `<directory>/<server>`, or why it does not run to
    `<directory>/<server>.failed`.
    """
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
    except OperatorError as error:
        _write(directory / f"{server}.{FAILED_SUFFIX}", str(error))
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.rename(path)


def main() -> None:
    """Run `python -m ops.local.ephemeral_servers SERVER DIRECTORY WATCHED_PID`.

    tests/conftest.py starts it.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("server", choices=sorted(SERVERS))
    parser.add_argument("directory", type=Path)
    parser.add_argument("watched_pid", type=int)
    arguments = parser.parse_args()
    asyncio.run(run_until_ended(arguments.server, arguments.directory, arguments.watched_pid))


if __name__ == "__main__":
    sys.exit(main())
