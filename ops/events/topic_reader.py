"""Read topics of the running system without joining a service's consumer group.

Not here: what a record means, and who may look.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

from chassis.messaging.kafka import KafkaConsumer
from chassis.messaging.kafka_ports import Partition, Record
from ops.local import kafka_login

_PAGE_SIZE = 1_000


class TopicReader:
    """Some topics: from their beginnings to their ends at opening, then what follows."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        positions: Mapping[Partition, int],
        ends: Mapping[Partition, int],
    ) -> None:
        self._consumer = consumer
        self._positions = dict(positions)
        self._ends = ends

    async def read_to_end(self, last: int | None = None) -> AsyncIterator[list[Record]]:
        """Yield the records before the ends, page by page.

        `last` is how many records of each partition, None = all. The markers that end
        transactions are not yielded.
        """
        for partition, end in self._ends.items():
            beginning = await self._consumer.beginning(partition)
            self._positions[partition] = beginning if last is None else max(beginning, end - last)
            await self._consumer.seek(partition, self._positions[partition])
        while behind := [
            partition for partition, end in self._ends.items() if self._positions[partition] < end
        ]:
            yield (found := await self.read_next())
            for partition in behind if not found else ():
                self._positions[partition] = await self._consumer.following(
                    partition, self._positions[partition]
                )

    async def read_next(self) -> list[Record]:
        """Return the next records; an empty list when a second passes without one."""
        found: list[Record] = []
        for partition, records in (await self._consumer.poll(_PAGE_SIZE, 1.0)).items():
            self._positions[partition] = records[-1].offset + 1
            found += records
        return found


@asynccontextmanager
async def open_topics(*topics: str) -> AsyncGenerator[TopicReader]:
    """Open topics of the running system with a group of its own that commits nothing.

    OperatorError when Kafka does not answer or refuses the login.
    """
    where = kafka_login.running_access()
    name = f"bina-look-{uuid.uuid4().hex[:12]}"
    consumer = KafkaConsumer(where, name, name, topics)
    at: dict[Partition, int] = {}

    async def assigned(partitions: set[Partition]) -> Mapping[Partition, int | None]:
        at.update(dict.fromkeys(partitions, 0))
        return dict.fromkeys(partitions)

    async def revoked(partitions: set[Partition]) -> None:
        for partition in partitions:
            at.pop(partition, None)

    try:
        async with kafka_login.explaining_refusals(where):
            await consumer.start(assigned, revoked)
            yield await _create_reader(consumer, at)
    finally:
        await consumer.stop()


async def _create_reader(consumer: KafkaConsumer, positions: dict[Partition, int]) -> TopicReader:
    """A partition's end is known once something was fetched of it."""
    while not positions or not consumer.ends().keys() >= positions.keys():
        await consumer.poll(1, 0.2)
    return TopicReader(
        consumer, positions, {partition: consumer.ends()[partition] for partition in positions}
    )
