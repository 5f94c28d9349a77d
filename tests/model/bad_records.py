"""The model with records that nobody can read, and rows that the broker refuses.

Not here: the other rules and the invariants (machine).
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from chassis.ids import new_id, utc_now
from chassis.messaging.events import Envelope
from chassis.messaging.kafka_ports import Record
from chassis.messaging.parked_events import ParkedSequences
from chassis.persistence.mongo import Document
from tests.model.harness import InMemoryBroker, Process
from tests.model.machine import Model
from tests.model.sample_service import Noted
from tests.model.strategies import KEYS

UNREADABLE = b"{"


class BadRecordsModel(Model):
    """The model; a record that is not readable waits for its discard, a refused row for a retry."""

    def __init__(self) -> None:
        super().__init__()
        self.unreadable: set[str] = set()
        self.refused: set[str] = set()
        self.is_at_rest = False
        if isinstance(self.harness.broker, InMemoryBroker):
            self.harness.broker.fake.refuses = self._is_refused

    def _is_refused(self, value: bytes) -> bool:
        return any(f'"under":"{key}"'.encode() in value for key in self.refused)

    @rule(key=st.sampled_from(KEYS))
    def publish_unreadable(self, key: str) -> None:
        """Publish a record of a type that we read whose body is no JSON."""
        self.loop.run(self._publish_unreadable(key))

    @precondition(lambda self: self.fake)
    @rule(key=st.sampled_from(KEYS), refused=st.booleans())
    def refuse(self, key: str, *, refused: bool) -> None:
        """Let the broker refuse the rows of a key from now on, or take them again."""
        (self.refused.add if refused else self.refused.discard)(key)

    async def _publish_unreadable(self, key: str) -> None:
        broker = self.harness.broker
        if isinstance(broker, InMemoryBroker) and broker.fake.away:
            return
        envelope = Envelope(
            id=new_id(), type=Noted.type, source="bina/shop", key=key, time=utc_now(), sequence=1
        )
        producer = broker.producer()
        await producer.start()
        try:
            record = (key.encode(), UNREADABLE, envelope.headers())
            sent = await producer.send_all(self.process("A").relay.topic, [record])
        finally:
            await producer.stop()
        assert sent.failure is None
        self.unreadable.add(envelope.id)

    async def _publish(self, rows: list[Document]) -> None:
        await super()._publish([row for row in rows if not self._is_refused(row["body"].encode())])

    async def _retry(self, process: Process) -> None:
        if self.is_at_rest:
            where = {"state": "parked", "_id": {"$in": list(self.unreadable)}}
            for row in await self.harness.db.find("inbox", where):
                await self._discard_unreadable(process, row)
        await super()._retry(process)

    async def _discard_unreadable(self, process: Process, row: Document) -> None:
        parked = ParkedSequences(process.inbox)
        await process.run(lambda tx: parked.discard(tx, row["marker"], row["_id"], "it is no JSON"))

    async def _rest(self) -> None:
        self.refused.clear()
        self.is_at_rest = True
        await super()._rest()

    async def _standing(self) -> dict[str, Any]:
        standing = await super()._standing()
        where = {"_id": {"$in": list(self.unreadable)}}
        heard = standing["heard"] - await self.harness.db.count("inbox", where)
        return standing | {"heard": heard}

    def _check_topic(self, rows: dict[str, list[Document]], records: list[Record]) -> None:
        super()._check_topic(rows, [one for one in records if one.value != UNREADABLE])
