"""Servers with a filled installation's databases, without its services. Not here: tests."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pymongo
from bson import Binary, Decimal128, Int64, ObjectId

from chassis.messaging import kafka_topics
from chassis.messaging.kafka_ports import BrokerAccess
from ops.local import (
    ephemeral_servers,
    kafka_broker,
    kafka_permissions,
    mongod,
    processes,
    secret_files,
)
from ops.local.topology import PROCESSES
from tests import kafka_operator
from tests.installation import Installation
from tests.system.disaster import BackupHarness

Databases = dict[str, dict[str, list[dict[str, Any]]]]
# The collections that a restore extends or corrects: tests/ops/backup/test_restore_fixups.py
CHANGED_BY_A_RESTORE = {"audit", "inbox", "leases", "offsets", "parked"}


def kept(databases: Databases) -> Databases:
    """Return the collections that a restore leaves as they were."""
    return {
        name: {one: rows for one, rows in held.items() if one not in CHANGED_BY_A_RESTORE}
        for name, held in databases.items()
    }


@dataclass(frozen=True)
class Servers:
    """A MongoDB in which tests can inject failures, and a Kafka.

    `administrator` and `login` are the addresses for Kafka's administrator and for the commands.
    """

    url: str
    administrator: BrokerAccess
    login: Mapping[str, str]

    def client(self) -> pymongo.MongoClient[dict[str, Any]]:
        return pymongo.MongoClient(self.url, retryWrites=False)

    @contextmanager
    def failing(self, app: str, command: str, after: int = 0, **how: object) -> Generator[None]:
        """Let this command fail for clients with this app name, after the first `after` ones."""
        with self.client() as client:
            client.admin.command(
                "configureFailPoint",
                "failCommand",
                mode={"skip": after},
                data={"failCommands": [command], "appName": app, **how},
            )
            try:
                yield
            finally:
                client.admin.command("configureFailPoint", "failCommand", mode="off")

    def everything(self) -> Databases:
        with self.client() as client:
            return {
                name: {
                    one: sorted(client[name][one].find(), key=lambda row: str(row["_id"]))
                    for one in client[name].list_collection_names()
                }
                for name in sorted(service_names())
            }

    def emptied(self) -> None:
        async def gone() -> None:
            async with kafka_topics.administering(self.administrator) as admin:
                if there := [
                    topic for topic in await admin.list_topics() if topic.endswith(".events")
                ]:
                    await admin.delete_topics(there)

        asyncio.run(gone())
        with self.client() as client:
            for name in service_names():
                client.drop_database(name)


def service_names() -> list[str]:
    return [service.name for service in PROCESSES]


@contextmanager
def serving(directory: Path) -> Generator[Servers]:
    """Run the servers for the length of the block."""
    # Only tests use the last flag, which allows fail points.
    usual = mongod._FLAGS  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    flags = (*usual, "--setParameter=enableTestCommands=1")
    with asyncio.Runner() as runner, patch.object(mongod, "_FLAGS", flags):
        stack = AsyncExitStack()
        url = runner.run(
            stack.enter_async_context(ephemeral_servers.running_mongod(directory / "mongod"))
        )
        asking, administrator = runner.run(
            kafka_broker.start_authenticated(directory / "kafka", "secret", directory / "kafka.log")
        )
        stack.callback(processes.end, asking.process)
        secret_files.write_private(directory / "password", "of the operator")
        runner.run(kafka_operator.admit(administrator, "of the operator"))
        yield Servers(
            url,
            administrator,
            {
                "BINA_KAFKA": asking.bootstrap,
                "BINA_KAFKA_USER": kafka_permissions.RESTORER,
                "BINA_KAFKA_PASSWORD_FILE": str(directory / "password"),
            },
        )
        runner.run(stack.aclose())


@dataclass(frozen=True)
class FilledInstallation:
    """An installation with its operator, and the documents at the time of its backup."""

    operator: BackupHarness
    servers: Servers
    documents: Databases
    made: dict[str, Any]

    def target(self, directory: Path) -> BackupHarness:
        """Return another installation, with its own directory for keys, at the same servers."""
        return at(self.servers, directory, self.operator.shelf)


def at(servers: Servers, directory: Path, shelf: Path) -> BackupHarness:
    operator = BackupHarness(Installation(directory), shelf)
    operator.system.env |= {"BINA_MONGO_URL": servers.url, **servers.login}
    return operator


def filled(servers: Servers) -> None:
    """Put a few documents of every kind into all databases."""
    servers.emptied()
    with servers.client() as client:
        for name in service_names():
            rows = [
                {
                    "_id": f"{name}-{seq}",
                    "key": "k",
                    "seq": seq,
                    "sent": False,
                    "at": datetime(2026, 11, 24, tzinfo=UTC),
                }
                for seq in (1, 2)
            ]
            client[name]["outbox"].insert_many(rows)
            client[name]["keys"].insert_one({"_id": "k", "seq": 2})
            client[name]["audit"].insert_one(
                {"_id": "a", "at": datetime(2026, 11, 24, tzinfo=UTC), "action": "x", "block": None}
            )
            client[name]["inbox"].insert_one(
                {
                    "_id": "waits",
                    "state": "parked",
                    "order": f"{name}.events/00003/{5:020d}",
                    "marker": "m",
                }
            )
            client[name]["parked"].insert_one(
                {"_id": "m", "kind": "inbox", "first": f"{name}.events/00003/{5:020d}", "count": 1}
            )
        kinds = {
            "sealed": Binary(b"\0\xff", 128),
            "money": Int64(2**53 + 1),
            "share": Decimal128("0.1"),
            "nothing": None,
            "many": [1, {"deep": [2.5]}],
            "id": ObjectId(),
        }
        client["training"]["participants"].insert_one({"_id": "p", **kinds})
        client["certification"]["lsps"].insert_one(
            {"_id": "lsp-1", "keys": [{"name": "assertion-2026"}]}
        )
        client["marketplace"]["pictures"].insert_many(
            [{"_id": number, "content": bytes(9 * 2**20)} for number in range(2)]
        )  # each is larger than a piece of the backup
        client["gateway"]["users"].insert_one({"_id": "rina", "password": "argon2"})
        client["gateway"]["grants"].insert_many(
            [{"_id": number} for number in range(2_500)]
        )  # more than a page
