"""Typed ports of Kafka and the values that pass through them. Not here: clients (kafka)."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

# Replaces headers that the client cannot decode. Its value is not UTF-8 either, so the inbox parks
# the record for that reason, also when an operator retries it.
UNDECODABLE_HEADERS = (("undecodable", b"\xff"),)


class SendFailed(Exception):
    """The broker did not acknowledge a record; the producer must be discarded."""


class RecordRefused(SendFailed):
    """The broker refused these records and will refuse them again."""


@dataclass(frozen=True, slots=True)
class BrokerAccess:
    """Broker address, SASL credentials (empty = anonymous) and CA file (none = plaintext)."""

    bootstrap: str
    user: str = ""
    password: str = field(default="", repr=False)
    ca: Path | None = None
    mechanism: Literal["SCRAM-SHA-512", "PLAIN"] = "SCRAM-SHA-512"

    def options(self) -> dict[str, Any]:
        """Return the arguments with which every client of this broker is created."""
        options: dict[str, Any] = {"bootstrap_servers": self.bootstrap}
        if self.password:
            options["sasl_mechanism"] = self.mechanism
            options["sasl_plain_username"] = self.user
            options["sasl_plain_password"] = self.password
        if self.ca:
            options["ssl_context"] = ssl.create_default_context(cafile=self.ca)
        encryption = "SSL" if self.ca else "PLAINTEXT"
        options["security_protocol"] = f"SASL_{encryption}" if self.password else encryption
        return options


Where = str | BrokerAccess  # a plain address is a broker without authentication


def client_options(where: Where) -> dict[str, Any]:
    """Return the arguments with which every client of this broker is created."""
    access = BrokerAccess(where) if isinstance(where, str) else where
    return access.options()


class Partition(NamedTuple):
    """One partition of a topic."""

    topic: str
    number: int


class Record(NamedTuple):
    """A record as it was read."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int

    @property
    def order(self) -> str:
        """Topic, partition and offset as text that sorts in the order of a key's records."""
        return f"{self.topic}/{self.partition:05d}/{self.offset:020d}"


Outgoing = tuple[bytes, bytes, Sequence[tuple[str, bytes]]]  # key, value, headers


@dataclass(frozen=True, slots=True)
class Sent:
    """Indexes of the acknowledged records, and the failure that stopped the others."""

    acknowledged: list[int]
    failure: SendFailed | None = None


class Producer(Protocol):
    """Sends records in order per key, idempotently, acknowledged by all in-sync replicas.

    After a failure it must be discarded.
    """

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def send_all(self, topic: str, records: Sequence[Outgoing]) -> Sent:
        """Send these records; in a partition, nothing follows an unacknowledged record."""
        ...


Assigned = Callable[[set[Partition]], Awaitable[Mapping[Partition, int | None]]]
Revoked = Callable[[set[Partition]], Awaitable[None]]


class Consumer(Protocol):
    """Reads topics as a member of a group, from positions that its owner keeps."""

    async def start(self, assigned: Assigned, revoked: Revoked) -> None:
        """Join the group.

        On each assignment `assigned` returns the position of each partition (None = its beginning).
        """
        ...

    async def stop(self) -> None: ...
    async def poll(
        self, max_records: int, timeout_seconds: float
    ) -> dict[Partition, list[Record]]: ...
    async def seek(self, partition: Partition, offset: int) -> None: ...
    async def beginning(self, partition: Partition) -> int: ...
    async def following(self, partition: Partition, offset: int) -> int: ...
    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Commit positions to the broker; only lag tools read them."""
        ...

    def ends(self) -> dict[Partition, int]:
        """Return the end of each assigned partition, as far as it is known."""
        ...
