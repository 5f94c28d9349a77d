"""The lifespan of a service: wait for its servers, prepare, run its workers, end in order.

The workers are relay, consumer and jobs. Not here: HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from prometheus_client import Gauge
from prometheus_client.samples import Sample

from chassis import telemetry
from chassis.app import database_setup
from chassis.app.database_setup import START_REFUSALS
from chassis.app.migrations import migrate
from chassis.app.service import Service
from chassis.jobs import backup_age, key_rotation, scheduled_gauges
from chassis.jobs.audit_sealer import AuditSealer
from chassis.jobs.invariants import EVERY_SECONDS, Invariants
from chassis.jobs.runner import Job, JobLoop
from chassis.jobs.supervision import run_supervised
from chassis.messaging import kafka_ports, kafka_topics
from chassis.messaging.consumer import EventConsumer
from chassis.messaging.inbox import EARLY_JOB, InboxTransaction
from chassis.messaging.kafka import KafkaConsumer, KafkaProducer
from chassis.messaging.kafka_topics import TopicUnfit
from chassis.messaging.outbox_gauges import OutboxGauges, unsent
from chassis.messaging.outbox_relay import BLOCKED, REPLICAS, OutboxRelay
from chassis.messaging.received_events import Inbox
from chassis.messaging.waiting_events import EarlyEventSweeper, pending_counts
from chassis.persistence import mongo
from chassis.persistence.cursors import CursorSigner
from chassis.persistence.lease import Lease
from chassis.persistence.mongo import Mongo
from chassis.persistence.transactions import TransactionManager
from chassis.persistence.unit_of_work import Transaction

STALE_SECONDS = 60.0
REPLICA_LEASE_RENEWAL_SECONDS = 5.0
REPLICA_LEASE_SECONDS = 4 * REPLICA_LEASE_RENEWAL_SECONDS
AUDIT_SEALER_SECONDS = 2.0
EARLY_EVENTS_SECONDS = 10.0
RETRY_SECONDS = 0.5
STOP_SECONDS = 8.0
PING_SECONDS = 2.0

log = telemetry.log(__name__)


class _Worker(Protocol):
    async def run(self) -> None: ...
    def stop(self) -> None: ...


class ServiceRuntime:
    """Database, relay, consumer and jobs of one process of a service, and their readiness.

    `fatal` is the reason why the process must end; empty while it may go on.
    """

    def __init__(self, service: Service[Any]) -> None:
        settings = service.settings
        self.service = service
        self.fatal = ""
        self.prepared = asyncio.Event()
        self.stopping = asyncio.Event()
        self.db = self.new_mongo()
        self._audit_key = bytes.fromhex(settings.audit_key.get_secret_value())
        self.cursors = CursorSigner.derived_from(self._audit_key)
        ports = {"cursors": self.cursors, **service.ports}
        self.engine: TransactionManager[Any] = TransactionManager(
            self.db, service.transaction, ports
        )
        self.inbox: Inbox[Any] = Inbox(service.name, service.handlers, settings.namespace)
        self.relay = OutboxRelay(
            self.db, service.name, settings.replica, self.new_producer, namespace=settings.namespace
        )
        self.consumer = self._new_event_consumer()
        self.jobs = {
            job.name: JobLoop(self.engine, job, service.name, settings.replica)
            for job in (*service.jobs, *self._own_jobs())
        }
        self.engine.before_commit.append(self._before_commit)
        self.engine.after_commit.append(self._after_commit)
        self._replica_lease = Lease(
            self.db, f"{REPLICAS}{settings.replica}", service.name, REPLICA_LEASE_SECONDS
        )
        self.outbox_gauges = OutboxGauges(self.db, lambda: self.relay.leads)
        self._workers: list[_Worker] = [self.relay, self.outbox_gauges, *self.jobs.values()]
        if self.consumer is not None:
            self._workers.append(self.consumer)
        self._tasks: list[asyncio.Task[None]] = []

    def _new_event_consumer(self) -> EventConsumer[Any] | None:
        """Return the consumer; None for a service that handles no event."""
        if not self.service.handlers:
            return None
        return EventConsumer(self.engine, self.inbox, self.service.name, self.new_consumer)

    def _own_jobs(self) -> list[Job]:
        """Return the jobs that the chassis runs in every service."""
        sealer = AuditSealer(self.service.name, self._audit_key)
        jobs = [
            Job("audit-sealer", sealer, every=AUDIT_SEALER_SECONDS),
            Job("invariants", Invariants(), every=EVERY_SECONDS),
            Job(backup_age.JOB, backup_age.measure, every=scheduled_gauges.EVERY_SECONDS),
        ]
        if self.service.keyed_stores:
            rotation = key_rotation.KeyRotation(self.service.keyed_stores)
            jobs.append(Job(key_rotation.JOB, rotation, every=key_rotation.EVERY_SECONDS))
        if self.service.handlers:
            sweeper = EarlyEventSweeper(self.engine, self.inbox)
            jobs.append(Job(EARLY_JOB, sweeper, every=EARLY_EVENTS_SECONDS))
        return jobs

    def database(self) -> str:
        """Return the database's name: the one in the URL, else the service's."""
        url = self.service.settings.mongo_url.get_secret_value()
        path = url.partition("://")[2].partition("/")[2]
        return path.partition("?")[0] or self.service.name

    def new_mongo(self) -> Mongo:
        """Return a client of the service's own database."""
        settings = self.service.settings
        return Mongo(
            settings.mongo_url.get_secret_value(),
            self.database(),
            settings.mongo_driver,
            app=self.service.name,
        )

    def broker(self) -> kafka_ports.BrokerAccess:
        """Return Kafka's address and our credentials there."""
        settings = self.service.settings
        return kafka_ports.BrokerAccess(
            settings.kafka,
            self.service.name,
            settings.kafka_password.get_secret_value(),
            settings.kafka_ca,
        )

    def new_producer(self) -> kafka_ports.Producer:
        """Return a producer for the relay."""
        return KafkaProducer(self.broker(), f"{self.service.name}-{self.service.settings.replica}")

    def new_consumer(self) -> kafka_ports.Consumer:
        """Return a member of the service's consumer group."""
        settings = self.service.settings
        group = settings.namespace + self.service.name
        return KafkaConsumer(self.broker(), group, f"{group}-{settings.replica}", self.inbox.topics)

    async def prepare(self) -> None:
        """Prepare collections and indexes, migrate documents, check the keys.

        Raises START_REFUSALS.

        Commands can run afterwards, even without Kafka: their events wait in the outbox.
        """
        await self.db.ping()
        service = self.service
        await database_setup.check_schemas(self.db, service.transaction, service.migrations)
        await database_setup.prepare(self.db, service.transaction)
        await migrate(self.db, service.migrations, service.settings.replica)
        await key_rotation.check_keys(self.db, service.name, service.keyed_stores)

    async def make_topics(self) -> None:
        """Create the topics that the service writes and reads, and check their partitions.

        Raises TopicUnfit in production. In development a topic may have fewer partitions.
        """
        topics = {self.relay.topic, *self.inbox.topics}
        for topic in topics:
            await kafka_topics.ensure_topic(self.broker(), topic)
        try:
            await kafka_topics.check_partitions(self.broker(), topics)
        except TopicUnfit as error:
            if self.service.settings.environment == "production":
                raise
            log.warning("topic_unfit", reason=str(error))

    async def only_prepare(self) -> None:
        """Prepare the database and close everything.

        A deployment runs this before it starts the processes of a new version, which then find
        their indexes built. Raises START_REFUSALS.
        """
        try:
            await self._retry_until_ready(self.prepare)
        finally:
            await self._end()

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncGenerator[None]:
        """Start in the background, so that probes answer at once.

        At shutdown every worker has 8 s to finish its current work; then it is cancelled. After
        that, transactions that outlast their deadline have 8 s to end.
        """
        booting = asyncio.create_task(self._boot(), name="boot")
        try:
            yield
        finally:
            booting.cancel()
            await asyncio.gather(booting, return_exceptions=True)
            await self._end()

    async def _boot(self) -> None:
        try:
            await self._retry_until_ready(self.prepare)
        except START_REFUSALS as error:
            self.fatal = f"{self.service.name}: {error}"
            # No stack: the reason names the document or the index.
            log.error("start_refused", reason=self.fatal)  # noqa: TRY400
            return
        self._start_worker("replica_lease", self._hold_replica_lease)
        for name, job_loop in self.jobs.items():
            self._start_worker(name, job_loop.run)
        self._start_worker("outboxgauges", self.outbox_gauges.run)
        self.prepared.set()
        log.info("prepared")
        try:
            await self._retry_until_ready(self.make_topics)
        except TopicUnfit as error:
            self.fatal = f"{self.service.name}: {error}"
            log.error("topic_unfit", reason=self.fatal)  # noqa: TRY400 - the reason says it all
            return
        self._start_worker("outboxrelay", self.relay.run)
        if self.consumer is not None:
            self._start_worker("eventconsumer", self.consumer.run)

    def _start_worker(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        self._tasks.append(asyncio.create_task(self._supervise(run), name=name))

    async def _retry_until_ready(self, prepare: Callable[[], Awaitable[None]]) -> None:
        """Run `prepare` until it succeeds, however long MongoDB or Kafka is away."""
        while True:
            try:
                return await prepare()
            except (mongo.MongoError, kafka_topics.KafkaUnavailable) as error:
                log.warning("waiting_for_servers", error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    async def _supervise(self, run: Callable[[], Awaitable[None]]) -> None:
        """Run a worker until the process ends; start it again after a failure."""

        def is_ended() -> bool:
            return self.stopping.is_set() or bool(self.fatal)

        await run_supervised(run, is_ended=is_ended)

    async def _hold_replica_lease(self) -> None:
        """Renew the lease of this replica id; set `fatal` when a younger process has taken it.

        Two processes with one id are the same static member of the consumer group, and would
        replace each other without end.
        """
        while await self._replica_lease.take():  # noqa: ASYNC110 - MongoDB is polled
            await asyncio.sleep(REPLICA_LEASE_RENEWAL_SECONDS)
        replica = self.service.settings.replica
        self.fatal = (
            f"{self.service.name}: a younger process runs as replica {replica}; "
            "each process needs an id of its own"
        )
        log.error("replica_id_taken", replica=replica)

    async def _end(self) -> None:
        self.stopping.set()
        for worker in self._workers:
            worker.stop()
        if self._tasks:
            self._tasks[0].cancel()  # the task that holds the replica lease has no `stop`
            _, unfinished = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.engine.finish(STOP_SECONDS)
        for port in self.service.ports.values():
            close = getattr(port, "close", None)
            if close is not None:
                await close()
        await self.db.close()

    async def _before_commit(self, tx: Transaction) -> None:
        """Apply early events that wait for what this transaction has added."""
        if tx.added_ids and self.consumer:
            await InboxTransaction(self.inbox, tx).apply_early_events()
        unknown_jobs = tx.jobs_to_wake - self.jobs.keys()
        if unknown_jobs:
            raise KeyError(*unknown_jobs)

    def _after_commit(self, tx: Transaction) -> None:
        if tx.outbox_rows:
            self.relay.wake({row["key"] for row in tx.outbox_rows})
        for name in tx.jobs_to_wake:
            self.jobs[name].wake()

    def alive(self) -> bool:
        """Return whether every worker runs and the consumer made progress in the last minute."""
        if any(task.done() for task in self._tasks):
            return False
        if self.consumer is None or not self.consumer.last_progress_at:
            return True
        idle_seconds = asyncio.get_running_loop().time() - self.consumer.last_progress_at
        return idle_seconds <= STALE_SECONDS

    async def missing(self) -> list[str]:
        """Return the names of what is not ready."""
        missing: list[str] = []
        try:
            async with asyncio.timeout(PING_SECONDS):
                await self.db.ping()
        except (mongo.MongoError, TimeoutError):
            missing.append("mongodb")
        if not self.prepared.is_set():
            missing.append("collections")
        if self.consumer is not None and not self.consumer.assigned.is_set():
            missing.append("kafka")
        return missing

    async def status(self) -> dict[str, Any]:
        """Return readiness, lag, outbox, parked and early events by stable names."""
        missing = await self.missing()
        readiness = {
            "service": self.service.name,
            "ready": not missing,
            "missing": missing,
            "notices": list(self.service.notices),
        }
        if "mongodb" in missing:
            return readiness
        settings = self.service.settings
        pending = await pending_counts(self.db)
        blocked_keys = await self.db.count("parked", {"kind": BLOCKED})
        broken = {
            sample.labels["invariant"]: int(sample.value)
            for sample in _samples(telemetry.INVARIANT_BROKEN)
            if sample.value
        }
        return readiness | {
            "driver": settings.mongo_driver,
            "environment": settings.environment,
            "egress_allow": settings.egress_allow,
            "consumer_lag": sum(sample.value for sample in _samples(telemetry.CONSUMER_LAG)),
            "outbox": await unsent(self.db) | {"stopped_keys": blocked_keys},
            "parked": {"events": pending["parked"], "keys": pending["parked_keys"]},
            "early": {"waiting": pending["early"], "oldest_seconds": pending["early_seconds"]},
            "invariants_broken": broken,
            "key_rotation": await key_rotation.status(self.db, self.service.keyed_stores),
        }


def _samples(gauge: Gauge) -> list[Sample]:
    return [sample for metric in gauge.collect() for sample in metric.samples]
