"""Three mongods in one replica set and three Kafka brokers, each of which a test can kill.

Not here: what runs on them.

A broker has two listeners: the direct one, and one whose advertised address is a port of `proxies`,
so that a client of a proxy stays behind it.
"""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from chassis.messaging.kafka_ports import Record
from chassis.messaging.kafka_topics import KafkaUnavailable, ensure_topic
from chassis.persistence.mongo import Mongo, MongoError
from ops.local import kafka_broker, mongod, platform_checks, processes
from ops.local.mongo_users import ADMINISTRATOR, REPLICA_SET, open_admin_database
from tests.fakes import eventually

MEMBERS = 3
HEAP_MEBIBYTES = 160
START_SECONDS = 120.0
HERE = platform_checks.LOOPBACK
_COPIES = """\
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
metadata.max.idle.interval.ms=500
broker.session.timeout.ms=6000
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
"""


@dataclass(slots=True)
class Cluster:
    """The servers of a test session."""

    directory: Path
    password: str = field(default_factory=lambda: secrets.token_hex(16))
    mongo_ports: list[int] = field(default_factory=lambda: platform_checks.find_free_ports(MEMBERS))
    broker_ports: list[list[int]] = field(
        default_factory=lambda: [platform_checks.find_free_ports(4) for _ in range(MEMBERS)]
    )  # direct, proxied, proxy, controller
    mongods: list[subprocess.Popen[bytes]] = field(default_factory=list)
    brokers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def mongo_url(self) -> str:
        """The administrator's URL of the replica set."""
        return self._url(
            ",".join(f"{HERE}:{port}" for port in self.mongo_ports), f"replicaSet={REPLICA_SET}"
        )

    @property
    def kafka(self) -> str:
        """The bootstrap addresses of the direct listeners."""
        return ",".join(f"{HERE}:{ports[0]}" for ports in self.broker_ports)

    @property
    def kafka_behind_proxies(self) -> str:
        """The bootstrap addresses of `proxies`."""
        return ",".join(f"{HERE}:{ports[2]}" for ports in self.broker_ports)

    @property
    def proxies(self) -> dict[int, int]:
        """By port on which a broker's proxy must listen: the port to which it must forward."""
        return {ports[2]: ports[1] for ports in self.broker_ports}

    def direct_mongo_url(self, port: int) -> str:
        """Return the administrator's URL of one member, or of the proxy before it.

        The driver connects to no other member.
        """
        return self._url(f"{HERE}:{port}", "directConnection=true")

    def _url(self, hosts: str, option: str) -> str:
        return f"mongodb://{ADMINISTRATOR}:{self.password}@{hosts}/?{option}&authSource=admin"

    # Starting and killing

    async def start(self) -> None:
        """Start all servers; wait until a majority write and a topic on all brokers succeed."""
        for at in range(MEMBERS):
            self.mongods.append(self._mongod(at))
        for started in await asyncio.gather(*(self._broker(at) for at in range(MEMBERS))):
            self.brokers.append(started)
        async with asyncio.timeout(START_SECONDS):
            await self._initiate()
            await eventually(self._takes_topics, seconds=START_SECONDS)
            await self.in_sync(kafka_broker.READINESS_TOPIC)

    def end(self) -> None:
        """Kill all servers at once; their data is not needed any more."""
        for process in (*self.mongods, *self.brokers):
            process.kill()
        for process in (*self.mongods, *self.brokers):
            process.wait()

    async def kill_mongod(self, at: int) -> None:
        """Send SIGKILL to one member."""
        await _killed(self.mongods[at])

    async def kill_broker(self, at: int, topic: str) -> None:
        """Send SIGKILL to one broker and wait until it is out of the topic's in-sync replicas."""
        await _killed(self.brokers[at])

        async def noticed() -> bool:
            return bool(copies := await self._copies(topic)) and all(
                at + 1 not in one for one in copies
            )

        await eventually(noticed, seconds=START_SECONDS)

    async def restart_mongod(self, at: int) -> None:
        """Start a killed member and wait until it is a secondary again."""
        self.mongods[at] = self._mongod(at)
        await eventually(self._whole, seconds=START_SECONDS)

    async def restart_broker(self, at: int, topic: str) -> None:
        """Start a killed broker and wait until it is in sync with the topic again."""
        self.brokers[at] = await self._broker(at)
        await self.in_sync(topic)

    def _mongod(self, at: int) -> subprocess.Popen[bytes]:
        return mongod.launch(
            self.directory / f"mongod-{at}",
            self.mongo_ports[at],
            mongod.ensure_key_file(self.directory),
            self.directory / f"mongod-{at}.log",
        )

    async def _broker(self, at: int) -> subprocess.Popen[bytes]:
        direct, proxied, proxy, controller = self.broker_ports[at]
        voters = ",".join(
            f"{other + 1}@{HERE}:{ports[3]}" for other, ports in enumerate(self.broker_ports)
        )
        places = (
            f"node.id={at + 1}\ncontroller.quorum.voters={voters}\n"
            f"listeners=PLAINTEXT://{HERE}:{direct},PROXIED://{HERE}:{proxied},"
            f"CONTROLLER://{HERE}:{controller}\n"
            f"advertised.listeners=PLAINTEXT://{HERE}:{direct},PROXIED://{HERE}:{proxy}\n"
        )
        return await kafka_broker.launch(
            self.directory / f"broker-{at}",
            _COPIES + places,
            self.directory / f"broker-{at}.log",
            heap_mebibytes=HEAP_MEBIBYTES,
        )

    # Queries

    def log_tails(self) -> str:
        """Return the last lines of every log."""
        return "\n".join(
            f"{log.name}: {processes.tail(log)}" for log in sorted(self.directory.glob("*.log"))
        )

    async def primary(self) -> int:
        """Wait for a primary and return its index."""

        async def found() -> list[int]:
            states = await self._states()
            alive = [
                at for at, process in enumerate(self.mongods) if process.poll() is None
            ]  # the others report the former state of a dead member for a while
            return [at for at in alive if states.get(f"{HERE}:{self.mongo_ports[at]}") == "PRIMARY"]

        return (await eventually(found, seconds=START_SECONDS))[0]

    async def in_sync(self, topic: str) -> None:
        """Wait until every partition of the topic has all its replicas in sync."""

        async def whole() -> bool:
            return bool(copies := await self._copies(topic)) and all(
                len(one) == MEMBERS for one in copies
            )

        await eventually(whole, seconds=START_SECONDS)

    async def records(self, topic: str) -> list[Record]:
        """Return all records of the topic, partition by partition in order."""
        consumer: Any = AIOKafkaConsumer(bootstrap_servers=self.kafka, enable_auto_commit=False)
        await consumer.start()
        try:
            partitions = [
                TopicPartition(topic, number) for number in range(len(await self._copies(topic)))
            ]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
            found: list[Record] = []
            while any([await consumer.position(one) < end for one, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [
                        Record(
                            one.topic,
                            one.partition,
                            one.offset,
                            one.key,
                            one.value,
                            tuple(one.headers),
                            one.timestamp,
                        )
                        for one in records
                    ]
        finally:
            await consumer.stop()
        return sorted(found, key=lambda record: (record.partition, record.offset))

    async def _copies(self, topic: str) -> list[list[int]]:
        """Return the brokers (by node id) in sync with each partition."""
        described: list[dict[str, Any]] = (
            await self._asked(lambda admin: admin.describe_topics([topic])) or []
        )
        return [
            partition["isr"]
            for one in described
            for partition in sorted(one["partitions"], key=itemgetter("partition"))
        ]

    async def _asked(self, question: Callable[[Any], Awaitable[Any]]) -> Any:
        """Return what the brokers answer to an administrator; None when none answers."""
        admin: Any = AIOKafkaAdminClient(bootstrap_servers=self.kafka, request_timeout_ms=5_000)
        try:
            await admin.start()
            return await question(admin)
        except KafkaUnavailable:
            return None
        finally:
            await admin.close()

    async def _takes_topics(self) -> bool:
        try:
            await ensure_topic(self.kafka, kafka_broker.READINESS_TOPIC, partitions=MEMBERS)
        except KafkaUnavailable:
            return False
        return True

    async def _initiate(self) -> None:
        """Create the replica set and its administrator, by MongoDB's localhost exception."""
        members = [
            {"_id": at, "host": f"{HERE}:{port}"} for at, port in enumerate(self.mongo_ports)
        ]
        direct = f"mongodb://{HERE}:{self.mongo_ports[0]}/?directConnection=true"
        async with open_admin_database(direct) as nobody:
            await nobody.client.admin.command(
                "replSetInitiate", {"_id": REPLICA_SET, "members": members}
            )
            await eventually(
                partial(_is_primary, nobody), seconds=START_SECONDS
            )  # the member that initiates the set starts the first election
            await nobody.client.admin.command(
                "createUser",
                ADMINISTRATOR,
                pwd=self.password,
                roles=["root"],
                writeConcern={"w": "majority"},
            )
        await eventually(self._whole, seconds=START_SECONDS)

    async def _whole(self) -> bool:
        return sorted((await self._states()).values()) == ["PRIMARY", "SECONDARY", "SECONDARY"]

    async def _states(self) -> dict[str, str]:
        for port in (
            port
            for port, process in zip(self.mongo_ports, self.mongods, strict=True)
            if process.poll() is None
        ):
            with suppress(MongoError):
                async with (
                    open_admin_database(self.direct_mongo_url(port)) as member,
                    asyncio.timeout(10),
                ):
                    return {
                        one["name"]: one["stateStr"]
                        for one in (await member.client.admin.command("replSetGetStatus"))[
                            "members"
                        ]
                    }
        return {}


async def _is_primary(member: Mongo) -> bool:
    return (await member.client.admin.command("hello"))["isWritablePrimary"]


async def _killed(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    await asyncio.to_thread(process.wait)


@asynccontextmanager
async def running(directory: Path) -> AsyncGenerator[Cluster]:
    """Run a cluster for the length of the block.

    Raises AssertionError with the last lines of its logs when it does not start.
    """
    cluster = Cluster(directory)
    try:
        try:
            await cluster.start()
        except (TimeoutError, AssertionError, MongoError) as error:
            raise AssertionError(f"the cluster did not start\n{cluster.log_tails()}") from error
        yield cluster
    finally:
        cluster.end()
