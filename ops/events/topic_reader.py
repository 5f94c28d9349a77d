"""Reads topics of the running system without joining a service's consumer group.

Not here: the meaning of records, and permissions.
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
    """Reads topics up to the ends that they had at opening, then new records."""

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
        """Yield the records up to the ends, page by page.

        `last` is the number of offsets to read of each partition, None = all. Transaction markers
        occupy offsets and are not yielded.
        """
        for partition, end in self._ends.items():
            beginning = await self._consumer.beginning(partition)
            self._positions[partition] = beginning if last is None else max(beginning, end - last)
            await self._consumer.seek(partition, self._positions[partition])
        while behind := self._partitions_behind():
            found = await self.read_next()
            yield found
            if found:
                continue
            for partition in behind:
                position = self._positions[partition]
                self._positions[partition] = await self._consumer.following(partition, position)

    def _partitions_behind(self) -> list[Partition]:
        return [
            partition for partition, end in self._ends.items() if self._positions[partition] < end
        ]

    async def read_next(self) -> list[Record]:
        """Return the next records; an empty list after a second without one."""
        found: list[Record] = []
        for partition, records in (await self._consumer.poll(_PAGE_SIZE, 1.0)).items():
            self._positions[partition] = records[-1].offset + 1
            found += records
        return found


@asynccontextmanager
async def open_topics(*topics: str) -> AsyncGenerator[TopicReader]:
    """Open topics of the running system in a new consumer group that commits no offsets.

    Raises OperatorError when Kafka does not answer or refuses the login.
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
    """Return a reader once the ends are known: after a first fetch from each partition."""
    while not positions or not consumer.ends().keys() >= positions.keys():
        await consumer.poll(1, 0.2)
    return TopicReader(
        consumer, positions, {partition: consumer.ends()[partition] for partition in positions}
    )
