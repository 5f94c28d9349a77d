"""A topic full of events for the measured service; each run has its own database.

Not here: what becomes of the figures.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ops.bench import programs
from ops.bench.system_under_test import environment, topics
from ops.local import mongo_users


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """A number of events in a topic, on these servers."""

    mongo_url: str
    kafka: str
    directory: Path
    namespace: str
    events: int

    async def run_consumer(
        self, driver: str, *, relay: bool = False, archive: int = 0
    ) -> dict[str, float]:
        """Apply all events; return `events_per_s`, with `relay` also `rows_per_s` of sending.

        `archive` is the number of sent rows that the outbox holds before.
        """
        database = f"bench_{uuid.uuid4().hex[:8]}"
        url = environment.database_url(self.mongo_url, database)
        env = environment.build_environment(
            environment.READING,
            self.directory,
            mongo_url=url,
            kafka=self.kafka,
            driver=driver,
            namespace=self.namespace,
        )
        more = [f"--archive={archive}", *(["--relay"] if relay else [])]
        try:
            return await programs.run_program(
                "-m", "ops.bench.system_under_test.measure", str(self.events), *more, env=env
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
    """Fill a topic and delete it afterwards; `bad`: one event in a hundred is bad."""
    namespace = f"bench-{uuid.uuid4().hex[:8]}."
    await topics.fill(kafka, namespace, events, partitions=partitions, bad=bad)
    try:
        yield Backlog(
            mongo_url=mongo_url,
            kafka=kafka,
            directory=directory,
            namespace=namespace,
            events=events,
        )
    finally:
        await programs.drop_topics(
            *(namespace + topic for topic in topics.TOPICS), env={**os.environ, "BINA_KAFKA": kafka}
        )
