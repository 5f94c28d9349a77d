"""A service's life: wait for the servers, prepare, run relay, consumer and jobs, end in order. Not here: HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from chassis import telemetry
from chassis.app import database_setup
from chassis.jobs.audit_sealer import AuditSealer
from chassis.jobs.invariants import EVERY_SECONDS, Invariants
from chassis.jobs.runner import Job, JobLoop
from chassis.jobs.supervision import run_supervised
from chassis.messaging import kafka
from chassis.messaging.consumer import EventConsumer
from chassis.messaging.inbox import EARLY_JOB, InboxTransaction
from chassis.messaging.kafka import KafkaConsumer, KafkaProducer
from chassis.messaging.outbox_relay import BLOCKED, REPLICAS, OutboxRelay, unsent
from chassis.messaging.received_events import Inbox
from chassis.messaging.waiting_events import EarlyEventSweeper, pending_counts
from chassis.persistence import mongo
from chassis.persistence.lease import Lease
from chassis.persistence.mongo import Mongo
from chassis.persistence.transactions import TransactionManager
from chassis.persistence.unit_of_work import Transaction

if TYPE_CHECKING:
    from chassis.app.service import Service

STALE_SECONDS, IDENTITY_SECONDS = 60.0, 5.0
log = telemetry.log(__name__)


class _Worker(Protocol):
    async def run(self) -> None: ...
    def stop(self) -> None: ...


class ServiceRuntime:
    """The parts of one process of a service, and when they are ready. `fatal` says why the process must end."""

    def __init__(self, service: Service[Any]) -> None:
        settings = service.settings
        self.service, self.fatal = service, ""
        self.prepared, self.stopping = asyncio.Event(), asyncio.Event()
        self.db = self.new_mongo()
        self.engine: TransactionManager[Any] = TransactionManager(
            self.db, service.transaction, service.ports
        )
        self.inbox: Inbox[Any] = Inbox(service.name, service.handlers, settings.namespace)
        self.relay = OutboxRelay(
            self.db, service.name, settings.replica, self.new_producer, namespace=settings.namespace
        )
        self.consumer = (
            EventConsumer(self.engine, self.inbox, service.name, self.new_consumer)
            if service.handlers
            else None
        )
        own = [
            Job(
                "audit-sealer",
                AuditSealer(service.name, bytes.fromhex(settings.audit_key.get_secret_value())),
                every=2.0,
            )
        ]
        own += [Job("invariants", Invariants(), every=EVERY_SECONDS)]
        own += (
            [Job(EARLY_JOB, EarlyEventSweeper(self.engine, self.inbox), every=10.0)]
            if service.handlers
            else []
        )
        self.jobs = {
            job.name: JobLoop(self.engine, job, service.name, settings.replica)
            for job in (*service.jobs, *own)
        }
        self.engine.before_commit.append(self._before_commit)
        self.engine.after_commit.append(self._after_commit)
        self._identity = Lease(
            self.db, f"{REPLICAS}{settings.replica}", service.name, 4 * IDENTITY_SECONDS
        )
        self._workers: list[_Worker] = [
            self.relay,
            *self.jobs.values(),
            *([self.consumer] if self.consumer else []),
        ]
        self._tasks: list[asyncio.Task[None]] = []

    def database(self) -> str:
        """The database's name: the one in the URL, else the service's."""
        path = (
            self.service.settings.mongo_url.get_secret_value().partition("://")[2].partition("/")[2]
        )
        return path.partition("?")[0] or self.service.name

    def new_mongo(self) -> Mongo:
        """The client of the service's own database."""
        settings = self.service.settings
        return Mongo(
            settings.mongo_url.get_secret_value(),
            self.database(),
            settings.mongo_driver,
            app=self.service.name,
        )

    def broker(self) -> kafka.BrokerAccess:
        """Where Kafka is, and who we are there."""
        settings = self.service.settings
        return kafka.BrokerAccess(
            settings.kafka,
            self.service.name,
            settings.kafka_password.get_secret_value(),
            settings.kafka_ca,
        )

    def new_producer(self) -> kafka.Producer:
        """A producer for the relay."""
        return KafkaProducer(self.broker(), f"{self.service.name}-{self.service.settings.replica}")

    def new_consumer(self) -> kafka.Consumer:
        """A member of the service's group."""
        settings = self.service.settings
        group = settings.namespace + self.service.name
        return KafkaConsumer(self.broker(), group, f"{group}-{settings.replica}", self.inbox.topics)

    async def prepare(self) -> None:
        """Collections, indexes, migrations: be as the code says. Commands need no more: what they tell waits in the outbox while Kafka is away."""
        await self.db.ping()
        await database_setup.prepare(self.db, self.service.transaction)
        await database_setup.migrate(
            self.db, self.service.migrations, self.service.settings.replica
        )

    async def make_topics(self) -> None:
        """The topics that it writes and reads."""
        for topic in {self.relay.topic, *self.inbox.topics}:
            await kafka.ensure_topic(self.broker(), topic)

    async def only_prepare(self) -> None:
        """Be as the code says, then end: what a job does before the processes of a new version start, so that they find their indexes built."""
        try:
            await self._retry_until_ready(self.prepare)
        finally:
            await self._end()

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncGenerator[None]:
        """Start in the background, so that probes answer at once; end what runs after the work at hand."""
        booting = asyncio.create_task(self._boot(), name="boot")
        try:
            yield
        finally:
            booting.cancel()
            await asyncio.gather(booting, return_exceptions=True)
            await self._end()

    async def _boot(self) -> None:
        await self._retry_until_ready(self.prepare)
        self._tasks = [
            asyncio.create_task(self._supervise(run), name=name)
            for name, run in (
                ("stay", self._hold_replica_lease),
                *((name, loop.run) for name, loop in self.jobs.items()),
            )
        ]
        self.prepared.set()
        log.info("prepared")
        await self._retry_until_ready(self.make_topics)
        self._tasks += [
            asyncio.create_task(self._supervise(worker.run), name=type(worker).__name__.lower())
            for worker in (self.relay, self.consumer)
            if worker
        ]

    async def _retry_until_ready(self, prepare: Callable[[], Awaitable[None]]) -> None:
        """Come back when it is prepared, however long its server is away."""
        while True:
            try:
                return await prepare()
            except (mongo.MongoError, kafka.KafkaUnavailable) as error:
                log.warning("waiting_for_servers", error=type(error).__name__)
                await asyncio.sleep(0.5)

    async def _supervise(self, run: Callable[[], Awaitable[None]]) -> None:
        """Run a worker until the process ends; start it again after a failure."""

        def is_ended() -> bool:
            return self.stopping.is_set() or bool(self.fatal)

        await run_supervised(run, is_ended=is_ended)

    async def _hold_replica_lease(self) -> None:
        """Stay while no younger process runs under this replica id: both would be one member of the consumer group, and throw each other out without end."""
        while await self._identity.take():  # noqa: ASYNC110 - it is MongoDB that is asked
            await asyncio.sleep(IDENTITY_SECONDS)
        self.fatal = f"{self.service.name}: a younger process runs as replica {self.service.settings.replica}; each process needs an id of its own"
        log.error("replica_id_taken", replica=self.service.settings.replica)

    async def _end(self) -> None:
        self.stopping.set()
        for worker in self._workers:
            worker.stop()
        if self._tasks:
            self._tasks[0].cancel()
            _, left = await asyncio.wait(self._tasks, timeout=8)
            for task in left:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for port in self.service.ports.values():
            if close := getattr(port, "close", None):
                await close()
        await self.db.close()

    async def _before_commit(self, tx: Transaction) -> None:
        """Early facts that wait for what this transaction has added take effect in it."""
        if tx.added_ids and self.consumer:
            await InboxTransaction(self.inbox, tx).apply_early_events()
        if unknown := tx.jobs_to_wake - self.jobs.keys():
            raise KeyError(*unknown)

    def _after_commit(self, tx: Transaction) -> None:
        if tx.outbox_rows:
            self.relay.wake({row["key"] for row in tx.outbox_rows})
        for name in tx.jobs_to_wake:
            self.jobs[name].wake()

    def alive(self) -> bool:
        """Whether every worker runs and the consumer has come round of late."""
        stale = (
            self.consumer
            and self.consumer.last_progress_at
            and asyncio.get_running_loop().time() - self.consumer.last_progress_at > STALE_SECONDS
        )
        return not stale and not any(task.done() for task in self._tasks)

    async def missing(self) -> list[str]:
        """What is not ready, by name."""
        missing: list[str] = []
        try:
            async with asyncio.timeout(2):
                await self.db.ping()
        except (mongo.MongoError, TimeoutError):
            missing.append("mongodb")
        if not self.prepared.is_set():
            missing.append("collections")
        if self.consumer and not self.consumer.assigned.is_set():
            missing.append("kafka")
        return missing

    async def status(self) -> dict[str, Any]:
        """Readiness, consumer lag, outbox, parked events and early facts, by stable names."""
        missing = await self.missing()
        if "mongodb" in missing:
            return {"service": self.service.name, "ready": False, "missing": missing}
        settings, now = self.service.settings, await pending_counts(self.db)
        return {
            "service": self.service.name,
            "ready": not missing,
            "missing": missing,
            "driver": settings.mongo_driver,
            "environment": settings.environment,
            "egress_allow": settings.egress_allow,
            "consumer_lag": sum(
                sample.value
                for metric in telemetry.CONSUMER_LAG.collect()
                for sample in metric.samples
            ),
            "outbox": await unsent(self.db)
            | {"stopped_keys": await self.db.count("parked", {"kind": BLOCKED})},
            "parked": {"events": now["parked"], "keys": now["parked_keys"]},
            "early": {"waiting": now["early"], "oldest_seconds": now["early_seconds"]},
            "invariants_broken": {
                sample.labels["invariant"]: int(sample.value)
                for metric in telemetry.INVARIANT_BROKEN.collect()
                for sample in metric.samples
                if sample.value
            },
        }
