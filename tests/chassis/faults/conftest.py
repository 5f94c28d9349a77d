"""A mongod that allows fail points, for the tests of this folder."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Generator, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import pymongo
import pytest

from ops.local import ephemeral_servers, mongod
from tests.chassis.sample_service import Transaction
from tests.database_pool import databases_of
from tests.installation import eventually
from tests.restartable_kafka import is_stopped

__all__ = ["database", "databases"]


class Faults:
    """Makes one mongod fail or stand still; clients with the name `shop` see the fail points."""

    def __init__(self, url: str) -> None:
        self.url = url
        with self._client() as client:
            self._pid: int = client.admin.command("serverStatus")["pid"]

    @contextmanager
    def failing(
        self, *commands: str, times: int | None = None, app: str = "bina", **how: Any
    ) -> Generator[None]:
        """Let these commands fail, `times` times or as long as the block lasts."""
        mode: Any = "alwaysOn" if times is None else {"times": times}
        data = {"failCommands": list(commands), "appName": app, **how}
        with self._client() as client:
            client.admin.command("configureFailPoint", "failCommand", mode=mode, data=data)
            try:
                yield
            finally:
                client.admin.command("configureFailPoint", "failCommand", mode="off")

    def stop(self) -> None:
        """Let mongod stand still: it answers nothing and closes no connection.

        Returns when the kernel has stopped every thread; until then some would still answer.
        """
        os.kill(self._pid, signal.SIGSTOP)
        eventually(lambda: is_stopped(self._pid))

    def go_on(self) -> None:
        """Let it continue."""
        os.kill(self._pid, signal.SIGCONT)

    @contextmanager
    def silent(self) -> Generator[None]:
        """Let mongod stand still for the length of the block."""
        self.stop()
        try:
            yield
        finally:
            self.go_on()

    def _client(self) -> pymongo.MongoClient[dict[str, Any]]:
        return pymongo.MongoClient(self.url, appname="faults")


@pytest.fixture(scope="session")
def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    # Only tests use this flag.
    usual = mongod._FLAGS  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    flags = (*usual, "--setParameter=enableTestCommands=1")
    with asyncio.Runner() as runner, patch.object(mongod, "_FLAGS", flags):
        stack = AsyncExitStack()
        data = tmp_path_factory.mktemp("mongod")
        yield runner.run(stack.enter_async_context(ephemeral_servers.running_mongod(data)))
        runner.run(stack.aclose())


@pytest.fixture(scope="session")
def faults(mongo_url: str) -> Faults:
    return Faults(mongo_url)


databases, database = databases_of(Transaction)
