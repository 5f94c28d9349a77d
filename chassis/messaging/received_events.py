"""Received events: a record, what could be decoded of it, and the handler for its type.

Not here: how events take effect, and what is stored of them (inbox).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from chassis import telemetry
from chassis.caller import system
from chassis.errors import DomainError
from chassis.messaging.events import MAX_NAME, Envelope, Inbound, Unreadable, stem
from chassis.messaging.kafka_ports import Record
from chassis.persistence import mongo
from chassis.persistence.mongo import DocumentRefused, DuplicateKey
from chassis.persistence.unit_of_work import Transaction

Tx = TypeVar("Tx", bound=Transaction)
Handler = Callable[[Any, Any], Awaitable[None]]
# {topic: {class of Inbound: handler}}. `Any`, because a mapping is invariant in its keys.
Handlers = Mapping[str, Mapping[Any, Handler]]

BEHIND = "waits behind an earlier event of its key"
NOT_UTF8 = "key or headers are not UTF-8"
MAX_REASON_LABEL = 40  # characters of a reason in a metric's label
log = telemetry.log(__name__)


class ReceivedEvent(NamedTuple):
    """A record with what could be decoded of it.

    If `event` is None, either `reason` says why it cannot be read, or no handler reads its type.
    `row_id` is the id of its inbox row: its id, unless an event of another source has that row.
    """

    record: Record
    id: str
    key: str
    type: str = ""
    envelope: Envelope | None = None
    event: Inbound | None = None
    handler: Handler | None = None
    reason: str = ""
    head_id: str = ""  # id of the head of its key's parked sequence
    row_id: str = ""

    @property
    def source(self) -> str:
        """The source of the event, "" if its envelope cannot be read."""
        return self.envelope.source if self.envelope else ""

    @property
    def is_ignored(self) -> bool:
        """True if no handler here reads its type."""
        return self.event is None and not self.reason

    @property
    def stored_fields(self) -> mongo.Document:
        """The fields of its parked or early row."""
        return {
            "source": self.source,
            "marker": self.head_id,
            "topic": self.record.topic,
            "key": self.key,
            "order": self.record.order,
            "headers": [[name, value] for name, value in self.record.headers],
            "body": self.record.value,
            "type": self.type,
        }


@dataclass(slots=True)
class BatchOutcome:
    """What became of the events of one transaction; reported after its commit."""

    applied: list[ReceivedEvent] = field(default_factory=list[ReceivedEvent])
    parked: list[tuple[ReceivedEvent, str]] = field(default_factory=list[tuple[ReceivedEvent, str]])
    duplicates: list[ReceivedEvent] = field(default_factory=list[ReceivedEvent])
    early: list[ReceivedEvent] = field(default_factory=list[ReceivedEvent])

    def report(self) -> None:
        """Count the events, and log each one that was parked for a reason of its own."""
        for received, reason in self.parked:
            if reason != BEHIND:
                log.warning(
                    "event_parked",
                    event_id=received.id,
                    type=received.type,
                    topic=received.record.topic,
                    reason=reason,
                )
        parked_labels = [
            (received.record.topic, reason.partition(":")[0][:MAX_REASON_LABEL])
            for received, reason in self.parked
        ]
        increments = (
            (telemetry.EVENTS_APPLIED, [(received.type,) for received in self.applied]),
            (telemetry.EVENTS_PARKED, parked_labels),
            (telemetry.EVENTS_REPEATED, [(event.record.topic,) for event in self.duplicates]),
            (telemetry.EVENTS_EARLY, [(event.record.topic,) for event in self.early]),
        )
        for metric, labels in increments:
            for label, times in Counter[tuple[str, ...]](labels).items():
                metric.labels(*label).inc(times)


class Inbox(Generic[Tx]):
    """The topics and event types that one service reads, with their handlers."""

    def __init__(self, service: str, handlers: Handlers, namespace: str = "") -> None:
        self.service = service
        self.system = system(service)
        self.topics = sorted(namespace + topic for topic in handlers)
        self._readers: dict[tuple[str, str], tuple[type[Inbound], Handler]] = {}
        for topic, handlers_by_class in handlers.items():
            for inbound, handler in handlers_by_class.items():
                for type_name in (inbound.type, *inbound.upcasts):
                    self._readers[namespace + topic, type_name] = (inbound, handler)
        self._stems = {(topic, stem(type_name)) for topic, type_name in self._readers}

    def is_ignored(self, topic: str, type_name: str) -> bool:
        """Return whether no handler here reads this type in any version."""
        return bool(type_name) and (topic, stem(type_name)) not in self._stems

    def receive(self, record: Record) -> ReceivedEvent:
        """Return the event in a record, or the reason why it cannot be read."""
        type_name = ""
        try:
            headers = {name: (value or b"").decode() for name, value in record.headers}
            type_name = headers.get("ce_type", "")
            if self.is_ignored(record.topic, type_name):
                return ReceivedEvent(record, "", "", type_name)
            key = (record.key or b"").decode()
        except UnicodeDecodeError:
            key = (record.key or b"").decode(errors="backslashreplace")
            return _unreadable(record, key, type_name, None, NOT_UTF8)
        envelope = None
        try:
            envelope = Envelope.of(headers, key)
            inbound, handler = self._reader(record, key, envelope)
            event = inbound.read(record.value or b"", envelope)
        # An upcaster may raise anything; the record is parked.
        except Exception as error:  # noqa: BLE001
            return _unreadable(record, key, type_name, envelope, failure_reason(error))
        return ReceivedEvent(
            record,
            envelope.id,
            key,
            type_name,
            envelope,
            event,
            handler,
            head_id=f"{record.topic}/{key}",
            row_id=envelope.id,
        )

    def _reader(
        self, record: Record, key: str, envelope: Envelope
    ) -> tuple[type[Inbound], Handler]:
        """Return the class and handler for a record. Raises Unreadable."""
        if not key:
            raise Unreadable("the record has no key")
        if record.value is None:
            raise Unreadable("the record has no body")
        reader = self._readers.get((record.topic, envelope.type))
        if reader is None:
            raise Unreadable(f"version not known here: {envelope.type}")
        return reader

    def restore(self, row: mongo.Document) -> ReceivedEvent:
        """Return the received event of a parked or early row."""
        topic, partition, offset = row["order"].rsplit("/", 2)
        headers = tuple((name, value) for name, value in row["headers"])
        key = row["key"].encode()
        record = Record(topic, int(partition), int(offset), key, row["body"], headers, 0)
        return self.receive(record)._replace(row_id=row["_id"])


def _unreadable(
    record: Record, key: str, type_name: str, envelope: Envelope | None, reason: str
) -> ReceivedEvent:
    """Return a record that cannot be read; without an envelope its id is its `order`.

    Records whose key is too long do not share a parked sequence: each has its own.
    """
    id_ = envelope.id if envelope else record.order
    if len(key) > MAX_NAME:
        key = record.order
    return ReceivedEvent(
        record,
        id_,
        key,
        type_name,
        envelope,
        reason=reason,
        head_id=f"{record.topic}/{key}",
        row_id=id_,
    )


def other_row_id(source: str, id_: str) -> str:
    """Return the id of the inbox row of an event whose id an event of another source has, too."""
    return f"{source}/{id_}"


def failure_reason(error: BaseException) -> str:
    """Return why an event failed, without any data of the event."""
    if isinstance(error, (DuplicateKey, DocumentRefused)):
        return f"{type(error).__name__}: {error}"
    if isinstance(error, Unreadable):
        return error.reason
    if isinstance(error, DomainError):
        return error.code
    return type(error).__name__
