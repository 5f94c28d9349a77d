"""What tests need: an ASGI client with signed callers, throw-away keys, a fake Kafka that passes the conformance suite in tests/chassis. Not here: a fake MongoDB."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from fastapi import FastAPI
from fastapi.routing import APIRoute

from chassis.caller import Actor, Caller
from chassis.http.internal_tokens import InternalTokenSigner
from chassis.ids import new_id
from chassis.messaging.kafka import (
    Assigned,
    Outgoing,
    Partition,
    Producer,
    Record,
    RecordRefused,
    Revoked,
    SendFailed,
    Sent,
    ensure_topic,
)

POLL_SECONDS = 0.1  # of a consumer at rest: a service ends when its last poll has come back


@dataclass(frozen=True, slots=True)
class Keys:
    """Throw-away signing keys of every issuer, their public halves in one directory."""

    directory: Path
    private: Mapping[str, str]

    @classmethod
    def make(
        cls,
        directory: Path,
        issuers: Iterable[str] = (
            "gateway",
            "training",
            "certification",
            "marketplace",
            "manpower",
        ),
    ) -> Keys:
        """Make them."""
        private: dict[str, str] = {}
        for name in issuers:
            key = Ed25519PrivateKey.generate()
            private[name] = key.private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ).decode()
            (directory / f"{name}.pem").write_bytes(
                key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            )
        return cls(directory, private)

    def settings(
        self,
        service: str,
        *,
        mongo_url: str,
        database: str,
        kafka: str,
        driver: str = "motor",
        **more: Any,
    ) -> dict[str, Any]:
        """The base settings of a service on these servers: pass them to its Settings class. The URL's database is replaced by `database`."""
        scheme, _, rest = mongo_url.partition("://")
        hosts, _, tail = rest.partition("/")
        query = tail.partition("?")[2]
        if "@" in hosts and "authSource" not in query:
            query = "&".join(part for part in (query, "authSource=admin") if part)
        return {
            "environment": "development", "kafka": kafka, "mongo_driver": driver, "mongo_url": f"{scheme}://{hosts}/{database}?{query}", "signing_key": self.private[service],
            "trusted_keys": self.directory, "audit_key": "11" * 32, "port": 0, "namespace": f"{database}.", **more,
        }  # fmt: skip


class AsgiClient:
    """An HTTP client of one service's app, in-process. `as_(role, facility="LP-TJP")` gives a client that asks as that caller; by default it may use every route."""

    def __init__(
        self, app: FastAPI, keys: Keys, service: str, caller: Caller | None = None
    ) -> None:
        self.app, self.keys, self.service = app, keys, service
        everything = frozenset(
            f"{method} {route.path}" for route in routes(app) for method in route.methods or ()
        )
        self.caller = caller or Caller(subject="tester", role="tester", permissions=everything)
        self._http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app, raise_app_exceptions=False),
            base_url="http://service",
        )

    def as_(
        self,
        role: str,
        *,
        subject: str = "",
        permissions: Iterable[str] | None = None,
        **claims: str | Iterable[str],
    ) -> AsgiClient:
        """A client for another caller; claims are single values or lists ("*" = all)."""
        sets = {
            name: frozenset([values] if isinstance(values, str) else values)
            for name, values in claims.items()
        }
        allowed = self.caller.permissions if permissions is None else frozenset(permissions)
        return AsgiClient(
            self.app,
            self.keys,
            self.service,
            Caller(subject=subject or f"user-{role}", role=role, permissions=allowed, claims=sets),
        )

    def by(self, subject: str, on_behalf_of: str = "") -> AsgiClient:
        """The same role and claims in another hand."""
        return AsgiClient(
            self.app,
            self.keys,
            self.service,
            replace(self.caller, subject=subject, on_behalf_of=on_behalf_of),
        )

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
        **more: Any,
    ) -> httpx2.Response:
        """One request; `token=""` sends none."""
        token = (
            InternalTokenSigner("gateway", self.keys.private["gateway"]).for_caller(
                self.service, self.caller
            )
            if token is None
            else token
        )
        authorization = {"authorization": f"Bearer {token}"} if token else {}
        return await self._http.request(
            method, path, headers=authorization | dict(headers or {}), **more
        )

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        """GET."""
        return await self.request("GET", path, **more)

    async def post(self, path: str, **more: Any) -> httpx2.Response:
        """POST."""
        return await self.request("POST", path, **more)

    async def patch(self, path: str, **more: Any) -> httpx2.Response:
        """PATCH."""
        return await self.request("PATCH", path, **more)

    async def asked_by(
        self,
        service: str,
        method: str,
        path: str,
        *,
        purpose: str,
        on_behalf_of: str = "",
        **more: Any,
    ) -> httpx2.Response:
        """An internal query as another service asks it."""
        return await self.request(
            method,
            path,
            token=InternalTokenSigner(service, self.keys.private[service]).for_service(
                self.service, method, path, purpose, on_behalf_of
            ),
            **more,
        )


def not_four_eyes(subject: str, principal: str) -> list[Actor]:
    """Who may not be the second where `subject` was the first, for `principal`: those two, and whoever acts for either."""
    return [
        Actor(subject),
        Actor(principal),
        Actor(new_id(), subject),
        Actor(new_id(), principal),
        Actor(subject, new_id()),
    ]


def routes(app: FastAPI) -> list[APIRoute]:
    """All API routes of an app, also those of included routers."""
    found: list[APIRoute] = []

    def walk(items: Iterable[Any]) -> None:
        for item in items:
            if isinstance(item, APIRoute):
                found.append(item)
            elif inner := getattr(
                item, "original_router", item if hasattr(item, "routes") else None
            ):
                walk(inner.routes)

    walk(app.routes)
    return found


@asynccontextmanager
async def running(
    app: FastAPI, keys: Keys, service: str, *, ready_seconds: float = 60
) -> AsyncGenerator[AsgiClient]:
    """Run an app's lifespan (relay, consumer, jobs on real servers) on topics of its own and give a client once it is ready."""
    life = app.state.life
    topics = {life.relay.topic, *life.inbox.topics}
    for topic in topics:
        await ensure_topic(life.service.settings.kafka, topic, partitions=2)
    with patch("chassis.messaging.consumer.MAX_SECONDS", POLL_SECONDS):
        async with app.router.lifespan_context(app):
            async with asyncio.timeout(ready_seconds):
                await life.prepared.wait()
                if life.consumer:
                    await life.consumer.assigned.wait()
            yield AsgiClient(app, keys, service)


async def eventually(condition: Callable[[], Awaitable[Any]], *, seconds: float = 20) -> Any:
    """The first truthy value of the condition, asked again and again; AssertionError when there is none in time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        value = await condition()
        if value:
            return value
        if loop.time() > deadline:
            raise AssertionError("the condition did not come true in time")
        await asyncio.sleep(0.02)


LARGEST = 1024 * 1024  # what a broker takes as it comes, a few bytes less


@dataclass(slots=True)
class FakeKafka:
    """A broker in memory: topics with partitions, idempotent appends, groups with one member a partition. Faults are set on it by tests."""

    partitions: int = 3
    logs: dict[Partition, list[Record]] = field(default_factory=dict)
    ends: dict[Partition, int] = field(default_factory=dict)
    committed: dict[tuple[str, Partition], int] = field(default_factory=dict)
    members: list[FakeConsumer] = field(default_factory=list)
    away: bool = False
    refuses: Callable[[bytes], bool] = lambda value: len(value) > LARGEST
    fails: Callable[[bytes], bool] = lambda _: False
    losing: list[bool] = field(
        default_factory=list
    )  # of the next fetches: whether each is lost on the way
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def partition(self, topic: str, key: bytes) -> Partition:
        """Where a key's records go."""
        return Partition(topic, zlib.crc32(key) % self.partitions)

    async def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]],
    ) -> int:
        """Add a record; its offset."""
        where = self.partition(topic, key or b"")
        log = self.logs.setdefault(where, [])
        offset = self.ends.get(where, 0)
        self.ends[where] = offset + 1
        log.append(Record(topic, where.number, offset, key, value, tuple(headers), 0))
        async with self.changed:
            self.changed.notify_all()
        return offset

    def forget(self, partition: Partition, before: int) -> None:
        """Delete the records before this offset, as retention does."""
        self.logs[partition] = [
            record for record in self.logs[partition] if record.offset >= before
        ]

    def beginning(self, partition: Partition) -> int:
        """The offset of the oldest record that is left."""
        log = self.logs.get(partition)
        return log[0].offset if log else self.ends.get(partition, 0)

    def records(self, topic: str) -> list[Record]:
        """All records of a topic, partition by partition."""
        return [
            record
            for where, log in sorted(self.logs.items(), key=lambda item: item[0].number)
            if where.topic == topic
            for record in log
        ]

    def producer(self) -> FakeProducer:
        """A new producer."""
        return FakeProducer(self)

    def consumer(self, group: str, topics: Iterable[str]) -> FakeConsumer:
        """A new member of a group."""
        return FakeConsumer(self, group, list(topics))

    async def rebalance(self, group: str) -> None:
        """Deal the partitions of a group's topics out to its members anew."""
        members = [member for member in self.members if member.group == group]
        for member in members:
            await member.take(set())
        topics = sorted({topic for member in members for topic in member.topics})
        everything = [
            Partition(topic, number) for topic in topics for number in range(self.partitions)
        ]
        for index, member in enumerate(members):
            await member.take(
                {where for place, where in enumerate(everything) if place % len(members) == index}
            )


async def send(
    producer: Producer,
    topic: str,
    key: str,
    value: bytes,
    headers: Sequence[tuple[str, bytes]] = (),
) -> None:
    """Send one record and await its acknowledgement; SendFailed."""
    if failure := (await producer.send_all(topic, [(key.encode(), value, headers)])).failure:
        raise failure


class FakeProducer:
    """Sends to a FakeKafka; after one failed send it fails for ever, as an idempotent producer does."""

    def __init__(self, broker: FakeKafka) -> None:
        self._broker, self._broken = broker, False

    async def start(self) -> None:
        """Connect; SendFailed while the broker is away."""
        if self._broker.away:
            raise SendFailed("away")

    async def stop(self) -> None:
        """Close."""
        self._broken = True

    async def send_all(self, topic: str, records: Sequence[Outgoing]) -> Sent:
        """Append in order until one fails: what is behind it in its partition is not handed over."""
        acknowledged: list[int] = []
        blocked: set[Partition] = set()
        failure: SendFailed | None = None
        for place, (key, value, headers) in enumerate(records):
            where = self._broker.partition(topic, key)
            if where in blocked:
                continue
            if self._broken or self._broker.away or self._broker.fails(value):
                failure = failure or SendFailed("away")
            elif self._broker.refuses(value):
                failure = RecordRefused("refused")
            else:
                await self._broker.append(topic, key, value, headers)
                acknowledged.append(place)
                continue
            blocked.add(where)
        self._broken = self._broken or failure is not None
        return Sent(acknowledged, failure)


class FakeConsumer:
    """A member of a group of a FakeKafka."""

    def __init__(self, broker: FakeKafka, group: str, topics: list[str]) -> None:
        self.group, self.topics = group, topics
        self._broker, self._at = broker, dict[Partition, int]()
        self._assigned: Assigned | None = None
        self._revoked: Revoked | None = None

    async def start(self, assigned: Assigned, revoked: Revoked) -> None:
        """Join and rebalance."""
        self._assigned, self._revoked = assigned, revoked
        self._broker.members.append(self)
        await self._broker.rebalance(self.group)

    async def stop(self) -> None:
        """Leave and rebalance."""
        if self in self._broker.members:
            self._broker.members.remove(self)
            await self._broker.rebalance(self.group)

    async def take(self, partitions: set[Partition]) -> None:
        """Be assigned these partitions instead of what we had."""
        if self._at and self._revoked:
            await self._revoked(set(self._at))
        self._at = {}
        if partitions and self._assigned:
            self._at = {
                where: self._broker.beginning(where) if offset is None else offset
                for where, offset in (await self._assigned(partitions)).items()
            }

    async def poll(self, max_records: int, timeout_seconds: float) -> dict[Partition, list[Record]]:
        """What has come since, at most `max_records`."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while not (found := self._fetch(max_records)):
                    async with self._broker.changed:
                        await self._broker.changed.wait()
        except TimeoutError:
            return {}
        return {} if self._broker.losing and self._broker.losing.pop(0) else found

    def _fetch(self, max_records: int) -> dict[Partition, list[Record]]:
        found: dict[Partition, list[Record]] = {}
        for where, at in self._at.items():
            begins, ends = self._broker.beginning(where), self._broker.ends.get(where, 0)
            first = (
                at if begins <= at <= ends else begins
            )  # a position where nothing is begins anew
            log = [record for record in self._broker.logs.get(where, []) if record.offset >= first]
            if not self._broker.away and max_records > 0 and (records := log[:max_records]):
                found[where] = records
                self._at[where] = records[-1].offset + 1
                max_records -= len(records)
        return found

    async def seek(self, partition: Partition, offset: int) -> None:
        """Read from there next."""
        if partition in self._at:
            self._at[partition] = offset

    async def following(self, partition: Partition, offset: int) -> int:
        """The offset of the next record, else the end."""
        log = [
            record.offset
            for record in self._broker.logs.get(partition, [])
            if record.offset >= offset
        ]
        self._at[partition] = log[0] if log else self._broker.ends.get(partition, 0)
        return self._at[partition]

    async def beginning(self, partition: Partition) -> int:
        """The oldest offset."""
        return self._broker.beginning(partition)

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Tell the broker."""
        self._broker.committed.update(
            {
                (self.group, where): offset
                for where, offset in positions.items()
                if where in self._at
            }
        )

    def ends(self) -> dict[Partition, int]:
        """Where each assigned partition ends."""
        return {where: self._broker.ends.get(where, 0) for where in self._at}
