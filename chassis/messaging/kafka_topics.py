"""Creation of topics, and an uninterrupted start and stop of aiokafka's clients.

Not here: users, permissions and the cluster's topics (ops/local/kafka_admin).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Collection
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from chassis.messaging.kafka_ports import Where, client_options

PARTITIONS = 12
RETENTION_DAYS = 30
CANCELLED_STOP_SECONDS = 2.0
KafkaUnavailable = KafkaError


class TopicUnfit(Exception):
    """A topic has another number of partitions than its keys are distributed over."""


async def run_to_end(step: Awaitable[None]) -> None:
    """Await the start or stop of a client to its end, also when cancelled.

    A client that is interrupted half-way holds connections that nothing closes. After a
    cancellation the wait is limited to 2 s, because the broker may be away.
    """
    task = asyncio.ensure_future(step)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=CANCELLED_STOP_SECONDS)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
    finally:
        del task  # The exception of the task refers to this frame: a cycle with the client in it.


@asynccontextmanager
async def administering(where: Where) -> AsyncGenerator[Any]:
    """Yield aiokafka's administration client of a broker."""
    admin: Any = AIOKafkaAdminClient(**client_options(where))
    try:
        await run_to_end(admin.start())
        yield admin
    finally:
        await run_to_end(admin.close())


async def check_partitions(where: Where, topics: Collection[str]) -> None:
    """Compare the number of partitions of these topics with PARTITIONS.

    Raises TopicUnfit, and KafkaUnavailable while the broker does not know a topic yet.
    """
    async with administering(where) as admin:
        for described in await admin.describe_topics(sorted(topics)):
            topic = described["topic"]
            count = len(described["partitions"])
            if described["error_code"] or not count:
                raise KafkaUnavailable(f"{topic}: not known yet")
            if count != PARTITIONS:
                raise TopicUnfit(
                    f"topic {topic} has {count} partitions instead of {PARTITIONS}: events of a "
                    "key would lie in two of them, out of order. Create the topic again with "
                    f"{PARTITIONS}, and publish the archive of its owner (events replay)."
                )


async def ensure_topic(where: Where, topic: str, *, partitions: int = PARTITIONS) -> None:
    """Create a missing topic with the broker's replication factor; never alter an existing one.

    Raises KafkaUnavailable when the broker refuses.
    """
    async with administering(where) as admin:
        if topic in await admin.list_topics():
            return
        retention_ms = str(RETENTION_DAYS * 86_400_000)
        new_topic = NewTopic(topic, partitions, 1, topic_configs={"retention.ms": retention_ms})
        # -1 is the broker's default, which the constructor refuses.
        new_topic.replication_factor = -1
        for _, code, message in (await admin.create_topics([new_topic])).topic_errors:
            if code not in {0, TopicAlreadyExistsError.errno}:
                raise KafkaUnavailable(f"{topic}: {message}")
