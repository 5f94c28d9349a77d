"""Reading topics from outside, as nobody's consumer: the last records, or all, and what follows. Not here: what a record means, and who may look."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

from chassis.messaging.kafka import KafkaConsumer, Partition, Record
from ops.local import kafka_login

_PAGE_SIZE = 1_000


class TopicReader:
    """Some topics, from their beginnings to where they ended when they were opened, then on."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        positions: Mapping[Partition, int],
        ends: Mapping[Partition, int],
    ) -> None:
        self._consumer, self._positions, self._ends = consumer, dict(positions), ends

    async def read_to_end(self, last: int | None = None) -> AsyncIterator[list[Record]]:
        """What lies before the ends, page by page: the last so many records of each partition, None = all. The ends of transactions are none of them."""
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
        """What comes next; nothing after a second without any."""
        found: list[Record] = []
        for partition, records in (await self._consumer.poll(_PAGE_SIZE, 1.0)).items():
            self._positions[partition] = records[-1].offset + 1
            found += records
        return found


@asynccontextmanager
async def open_topics(*topics: str) -> AsyncGenerator[TopicReader]:
    """Open topics of the running system, as a group of its own that leaves no trace. OperatorError when Kafka does not answer or let us in."""
    where, name = kafka_login.running_access(), f"bina-look-{uuid.uuid4().hex[:12]}"
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
