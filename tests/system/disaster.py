"""A system with a backup under load, and what its restore needs. Not here: tests."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pymongo

from ops.demo import DemoContext, prison
from ops.demo.context import FACILITY, UNITS
from ops.local import mongo_users, platform_checks, secrets
from ops.local.gateway_client import GatewayClient
from ops.local.topology import MONGOD
from tests.installation import Installation
from tests.system.operator import Operator

SNAPSHOTS = Path(__file__).parents[1] / "training/snapshots/LP-TJP"


class BackupHarness(Operator):
    """An installation, its operator, and the directory of its backups and keys (`shelf`)."""

    def __init__(self, installation: Installation, shelf: Path) -> None:
        super().__init__(installation)
        self.shelf = shelf

    def key(self, name: str) -> Path:
        path = self.shelf / "people" / name
        if not path.exists():
            self.bina("key", str(path))
        return path

    def backing_up(self) -> list[str]:
        """Return the arguments that make a backup."""
        options = [
            "--reader",
            f"{self.key('reader')}.pub",
            "--custody",
            str(self.shelf / "keys"),
            "--holder",
            f"{self.key('head')}.pub",
            "--holder",
            f"{self.key('clerk')}.pub",
        ]
        return ["backup", str(self.shelf / "data"), *options]

    def backup(self) -> dict[str, Any]:
        return self.bina(*self.backing_up())

    def opening(self, made: dict[str, Any], **other: Path | None) -> list[str]:
        """Return the arguments that restore a backup; `other` replaces or omits some."""
        given: dict[str, Path | None] = {
            "place": Path(made["backup"]),
            "reader": self.key("reader"),
            "custody": Path(made["custody"]),
            "head": self.key("head"),
            "clerk": self.key("clerk"),
        }
        given |= other
        options = [
            ("--reader-key", given["reader"]),
            ("--custody", given["custody"]),
            ("--holder-key", given["head"]),
            ("--holder-key", given["clerk"]),
        ]
        return [
            "restore",
            str(given["place"]),
            *chain.from_iterable((option, str(path)) for option, path in options if path),
        ]

    def database(self) -> pymongo.MongoClient[dict[str, Any]]:
        address = f"{platform_checks.LOOPBACK}:{self.system.port + MONGOD.offset}"
        return pymongo.MongoClient(
            mongo_users.administrator_url(
                address, secrets.administrator_password(self.system.home / "secrets")
            )
        )


@dataclass
class Disaster:
    """The backup that was made before the machine was lost, and the state at that time."""

    old: BackupHarness
    made: dict[str, Any]
    unsent: set[str]
    unread: set[str]
    commands: int
    keys: dict[str, bytes]


def upload(day: str) -> None:
    """Upload the prison's file of a day and wait until it is applied."""

    async def report() -> None:
        async with GatewayClient() as client:
            story = DemoContext(client)
            if day == "2026-11-16":
                await prison.open_facility(story)
            with (
                patch.object(prison, "SNAPSHOT", SNAPSHOTS / f"{day}.csv"),
                patch.object(prison, "SNAPSHOT_TAKEN_AT", f"{day}T14:00:00+07:00"),
            ):
                await prison.import_snapshot(story)

    asyncio.run(report())


class CommandThread(threading.Thread):
    """A thread that sends commands without a pause until it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.titles: list[str] = []
        self.enough = threading.Event()

    def run(self) -> None:
        asyncio.run(self._ask())

    async def _ask(self) -> None:
        async with GatewayClient() as client:
            while not self.enough.is_set():
                title = f"Pelatihan {len(self.titles)}"
                officer = client.caller(
                    "training_officer", subject=title, facility=FACILITY
                )  # a new caller for each request, because of the rate limit
                await officer.post(
                    "/v1/programmes", {"title": title, "units": UNITS, "lesson_hours": 8}
                )
                self.titles.append(title)
