"""Comparison of committed, published and applied events, as sets and in their order.

Not here: the faults.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise

from chassis.ids import new_id
from chassis.messaging.kafka import KafkaConsumer
from chassis.messaging.kafka_ports import Partition
from chassis.persistence.mongo import Mongo
from tests.crash.sample_service import Heard
from tests.fakes import eventually

Seqs = dict[str, list[int]]  # sequence numbers of each key, in the order of arrival


@dataclass(frozen=True, slots=True)
class Evidence:
    """Committed, published and applied events after a run."""

    committed: Seqs
    published: Seqs
    effects: Seqs

    @property
    def events(self) -> int:
        """The number of committed events."""
        return sum(map(len, self.committed.values()))

    @property
    def gaps(self) -> list[str]:
        """Keys whose committed events are not numbered 1, 2, 3 and so on."""
        return [
            key for key, seqs in self.committed.items() if seqs != list(range(1, len(seqs) + 1))
        ]

    @property
    def unpublished(self) -> list[str]:
        """Committed events that are not in the topic."""
        return _more(self.committed, self.published)

    @property
    def invented(self) -> list[str]:
        """Events that are in the topic or took effect and were never committed."""
        return _more(self.published, self.committed) + _more(self.effects, self.committed)

    @property
    def lost(self) -> list[str]:
        """Committed events that took no effect."""
        return _more(self.committed, self.effects)

    @property
    def doubled(self) -> list[str]:
        """Events that took effect more than once."""
        counted = Counter((key, seq) for key, seqs in self.effects.items() for seq in seqs)
        return [f"{key}/{seq} x{times}" for (key, seq), times in counted.items() if times > 1]

    @property
    def disordered(self) -> list[str]:
        """Keys whose events took effect in another order than they were committed in."""
        return _unordered(self.effects)

    @property
    def published_out_of_order(self) -> list[str]:
        """Keys whose events' first occurrences in the topic are not in order."""
        return _unordered(self.published)

    @property
    def repeated(self) -> int:
        """The number of duplicate records in the topic, which are allowed."""
        return sum(len(seqs) - len(set(seqs)) for seqs in self.published.values())

    @property
    def broken(self) -> dict[str, list[str]]:
        """The broken promises, each with the events or keys that break it."""
        kinds = (
            "lost",
            "doubled",
            "disordered",
            "unpublished",
            "invented",
            "published_out_of_order",
            "gaps",
        )
        found = {kind: getattr(self, kind) for kind in kinds}
        return {kind: cases for kind, cases in found.items() if cases}

    def figures(self) -> dict[str, int]:
        """Return the numbers of events, lost, doubled, disordered and duplicate ones."""
        return {
            "events": self.events,
            "lost": len(self.lost),
            "doubled": len(self.doubled),
            "disordered": len(self.disordered),
            "repeated_in_topic": self.repeated,
        }


def _more(one: Mapping[str, list[int]], other: Mapping[str, list[int]]) -> list[str]:
    return [
        f"{key}/{seq}"
        for key, seqs in one.items()
        for seq in sorted(set(seqs) - set(other.get(key, ())))
    ]


def _unordered(seqs: Mapping[str, list[int]]) -> list[str]:
    firsts = {key: list(dict.fromkeys(came)) for key, came in seqs.items()}
    return [
        key
        for key, came in firsts.items()
        if any(before > after for before, after in pairwise(came))
    ]


async def gathered(
    db: Mongo, kafka: str, topic: str, service: str = "shop", type_name: str = Heard.type
) -> Evidence:
    """Return the evidence about events of this type.

    Waits until all is sent and the service has read the topic to its last record.
    Raises AssertionError when that does not happen.
    """

    async def sent() -> bool:
        return not await db.count("outbox", {"sent": False})

    await eventually(sent, seconds=60)
    published: Seqs = {}
    at: dict[Partition, int] = {}
    lasts: dict[str, int] = {}
    positions: dict[str, int] = {}
    async with _reading(kafka, topic) as consumer:

        async def read() -> bool:
            for partition, records in (await consumer.poll(5_000, 0.2)).items():
                at[partition] = records[-1].offset + 1
                for record in records:
                    headers = dict(record.headers)
                    if headers["ce_type"].decode() == type_name:
                        published.setdefault((record.key or b"").decode(), []).append(
                            int(headers["ce_sequence"])
                        )
                        lasts[f"{service}/{partition.topic}/{partition.number}"] = record.offset
            positions.update({row["_id"]: row["next"] for row in await db.find("offsets", {})})
            ends = {partition: end for partition, end in consumer.ends().items() if end}
            return (
                bool(ends)
                and at == ends
                and all(positions.get(row, 0) > last for row, last in lasts.items())
                and await sent()
            )

        try:
            await eventually(read, seconds=60)
        except AssertionError as late:
            raise AssertionError(
                "the service has not read on:"
                f" its positions are {positions}, its last events at {lasts}"
            ) from late
    committed: Seqs = {}
    for row in await db.find(
        "outbox", {"type": type_name}, sort=[("key", 1), ("seq", 1)], fields={"key": 1, "seq": 1}
    ):
        committed.setdefault(row["key"], []).append(row["seq"])
    effects = {
        note["_id"]: [int(text) for text in note["texts"]] for note in await db.find("notes", {})
    }
    return Evidence(committed, published, effects)


@asynccontextmanager
async def _reading(kafka: str, topic: str) -> AsyncGenerator[KafkaConsumer]:
    """Read the topic from its beginning, as a group of its own."""
    name = f"evidence-{new_id()}"
    consumer = KafkaConsumer(kafka, name, name, [topic])

    async def assigned(partitions: set[Partition]) -> Mapping[Partition, int | None]:
        return dict.fromkeys(partitions)

    async def revoked(_: set[Partition]) -> None:
        return

    try:
        await consumer.start(assigned, revoked)
        yield consumer
    finally:
        await consumer.stop()
