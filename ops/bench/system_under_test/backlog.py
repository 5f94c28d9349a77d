"""Backlogs: topics full of events, and the programs that apply them, each in a new database.

Not here: how the figures are compared.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ops.bench import programs
from ops.bench.system_under_test import environment, topics
from ops.local import mongo_users, topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """A number of events in a topic on these servers, and the program that applies them."""

    mongo_url: str
    kafka: str
    directory: Path
    namespace: str
    events: int
    service: topology.Service
    program: str

    async def run_consumer(
        self, driver: str, *, relay: bool = False, archive: int = 0
    ) -> dict[str, float]:
        """Apply all events; return `events_per_s`, and with `relay` also `rows_per_s`.

        `archive` is the number of sent rows that the outbox holds before. The program of manpower
        has neither option.
        """
        options: list[str] = []
        if archive:
            options.append(f"--archive={archive}")
        if relay:
            options.append("--relay")
        database = f"bench_{uuid.uuid4().hex[:8]}"
        env = environment.build_environment(
            self.service,
            self.directory,
            mongo_url=environment.database_url(self.mongo_url, database),
            kafka=self.kafka,
            driver=driver,
            namespace=self.namespace,
        )
        try:
            return await programs.run_program(
                "-m", self.program, str(self.events), *options, env=env
            )
        finally:
            async with mongo_users.open_admin_database(self.mongo_url) as mongo:
                await mongo.client.drop_database(database)


@asynccontextmanager
async def filled_backlog(
    mongo_url: str,
    kafka: str,
    directory: Path,
    events: int,
    *,
    partitions: int = topics.PARTITIONS,
    bad: bool = False,
) -> AsyncGenerator[Backlog]:
    """Fill a topic for the service without business rules; delete it afterwards.

    `bad`: one event in 101 is bad.
    """
    namespace = _new_namespace()
    await topics.fill(kafka, namespace, events, partitions=partitions, bad=bad)
    try:
        yield Backlog(
            mongo_url=mongo_url,
            kafka=kafka,
            directory=directory,
            namespace=namespace,
            events=events,
            service=environment.READING,
            program="ops.bench.system_under_test.measure",
        )
    finally:
        await _drop(kafka, namespace, topics.TOPICS)


@asynccontextmanager
async def filled_manpower_backlog(
    mongo_url: str, kafka: str, directory: Path, events: int
) -> AsyncGenerator[Backlog]:
    """Fill training's topic for manpower; delete its topics afterwards."""
    namespace = _new_namespace()
    await topics.fill_for_manpower(kafka, namespace, events)
    try:
        yield Backlog(
            mongo_url=mongo_url,
            kafka=kafka,
            directory=directory,
            namespace=namespace,
            events=events,
            service=environment.MANPOWER,
            program="ops.bench.system_under_test.measure_manpower",
        )
    finally:
        await _drop(kafka, namespace, topics.MANPOWER_TOPICS)


def _new_namespace() -> str:
    return f"bench-{uuid.uuid4().hex[:8]}."


async def _drop(kafka: str, namespace: str, names: Sequence[str]) -> None:
    env = {**os.environ, "BINA_KAFKA": kafka}
    await programs.drop_topics(*(namespace + name for name in names), env=env)
