"""Reading topics from outside, as nobody's consumer: the last records, or all, and what follows. Not here: what a record means, and who may look."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

from chassis.messaging.kafka import KafkaConsumer, Partition, Record, read_leniently
from ops.local import kafka_login

_PAGE = 1_000


class Topics:
    """Some topics, from their beginnings to where they ended when they were opened, then on."""

    def __init__(
        self, consumer: KafkaConsumer, at: Mapping[Partition, int], ends: Mapping[Partition, int]
    ) -> None:
        self._consumer, self._at, self._ends = consumer, dict(at), ends

    async def until_now(self, last: int | None = None) -> AsyncIterator[list[Record]]:
        """What lies before the ends, page by page: the last so many records of each partition, None = all. The ends of transactions are none of them."""
        for partition, end in self._ends.items():
            beginning = await self._consumer.beginning(partition)
            self._at[partition] = beginning if last is None else max(beginning, end - last)
            await self._consumer.seek(partition, self._at[partition])
        while behind := [
            partition for partition, end in self._ends.items() if self._at[partition] < end
        ]:
            yield (found := await self.following())
            for partition in behind if not found else ():
                self._at[partition] = await self._consumer.following(partition, self._at[partition])

    async def following(self) -> list[Record]:
        """What comes next; nothing after a second without any."""
        found: list[Record] = []
        for partition, records in (await self._consumer.poll(_PAGE, 1.0)).items():
            self._at[partition] = records[-1].offset + 1
            found += records
        return found


@asynccontextmanager
async def reading(*topics: str) -> AsyncGenerator[Topics]:
    """Open topics of the running system, as a group of its own that leaves no trace. Trouble when Kafka does not answer or let us in."""
    read_leniently()
    where, name = kafka_login.running(), f"bina-look-{uuid.uuid4().hex[:12]}"
    consumer = KafkaConsumer(where, name, name, topics)
    at: dict[Partition, int] = {}

    async def assigned(partitions: set[Partition]) -> Mapping[Partition, int | None]:
        at.update(dict.fromkeys(partitions, 0))
        return dict.fromkeys(partitions)

    async def revoked(partitions: set[Partition]) -> None:
        for partition in partitions:
            at.pop(partition, None)

    try:
        async with kafka_login.asking(where):
            await consumer.start(assigned, revoked)
            yield await _opened(consumer, at)
    finally:
        await consumer.stop()


async def _opened(consumer: KafkaConsumer, at: dict[Partition, int]) -> Topics:
    """A partition's end is known once something was fetched of it."""
    while not at or not consumer.ends().keys() >= at.keys():
        await consumer.poll(1, 0.2)
    return Topics(consumer, at, {partition: consumer.ends()[partition] for partition in at})
