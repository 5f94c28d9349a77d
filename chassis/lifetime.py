"""A service's life: wait for the servers, prepare, run relay, consumer and jobs, end in order. Not here: HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from chassis import kafka, mongo, schemas, telemetry
from chassis.audit import Sealer
from chassis.consumer import EventConsumer
from chassis.inbox import MARKER, Counted, Inbox
from chassis.jobs import Job, JobLoop
from chassis.kafka import KafkaConsumer, KafkaProducer
from chassis.mongo import Mongo
from chassis.outbox import STOPPED, Relay
from chassis.runner import Engine
from chassis.unit_of_work import Transaction

if TYPE_CHECKING:
    from chassis.web import Service

STALE_SECONDS = 60.0
log = telemetry.log(__name__)


class _Worker(Protocol):
    async def run(self) -> None: ...
    def stop(self) -> None: ...


class Lifetime:
    """The parts of one process of a service, and when they are ready."""

    def __init__(self, service: Service[Any]) -> None:
        settings = service.settings
        self.service = service
        self.prepared, self.stopping = asyncio.Event(), asyncio.Event()
        self.db = self.new_mongo()
        self.engine: Engine[Any] = Engine(self.db, service.transaction, service.parts)
        self.inbox: Inbox[Any] = Inbox(service.name, service.handlers, settings.namespace)
        self.relay = Relay(self.db, service.name, settings.replica, self.new_producer, namespace=settings.namespace)
        self.consumer = EventConsumer(self.engine, self.inbox, service.name, self.new_consumer) if service.handlers else None
        sealer = Job("audit-sealer", Sealer(service.name, bytes.fromhex(settings.audit_key.get_secret_value())), every=2.0)
        self.jobs = {job.name: JobLoop(self.engine, job, service.name, settings.replica) for job in (*service.jobs, sealer)}
        self.engine.before_commit.append(self._settle)
        self.engine.after_commit.append(self._told)
        self._tasks: list[asyncio.Task[None]] = []

    def database(self) -> str:
        """The database's name: the one in the URL, else the service's."""
        path = self.service.settings.mongo_url.get_secret_value().partition("://")[2].partition("/")[2]
        return path.partition("?")[0] or self.service.name

    def new_mongo(self) -> Mongo:
        """The client of the service's own database."""
        settings = self.service.settings
        return Mongo(settings.mongo_url.get_secret_value(), self.database(), settings.mongo_driver, app=self.service.name)

    def new_producer(self) -> kafka.Producer:
        """A producer for the relay."""
        return KafkaProducer(self.service.settings.kafka, f"{self.service.name}-{self.service.settings.replica}")

    def new_consumer(self) -> kafka.Consumer:
        """A member of the service's group."""
        settings = self.service.settings
        group = settings.namespace + self.service.name
        return KafkaConsumer(settings.kafka, group, f"{group}-{settings.replica}", self.inbox.topics)

    async def prepare(self) -> None:
        """Collections, indexes, topics: be as the code says."""
        await self.db.ping()
        await schemas.prepare(self.db, self.service.transaction)
        for topic in {self.relay.topic, *self.inbox.topics}:
            await kafka.ensure_topic(self.service.settings.kafka, topic)

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncGenerator[None]:
        """Start in the background, so that probes answer at once; end what runs after the work at hand."""
        booting = asyncio.create_task(self._boot(), name="boot")
        try:
            yield
        finally:
            booting.cancel()
            await self._end()

    async def _boot(self) -> None:
        while True:
            try:
                await self.prepare()
                break
            except (mongo.MongoError, kafka.KafkaUnavailable) as error:
                log.warning("waiting_for_servers", error=type(error).__name__)
                await asyncio.sleep(0.5)
        workers: list[_Worker] = [self.relay, *self.jobs.values(), *([self.consumer] if self.consumer else [])]
        self._workers = workers
        self._tasks = [asyncio.create_task(self._kept(worker.run), name=type(worker).__name__) for worker in workers]
        self.prepared.set()
        log.info("prepared")

    async def _kept(self, run: Callable[[], Awaitable[None]]) -> None:
        """Run a worker; one that fails for a reason nobody expected is logged and starts anew."""
        while not self.stopping.is_set():
            try:
                await run()
            except Exception:
                log.exception("worker_failed")
                await asyncio.sleep(1)

    async def _end(self) -> None:
        self.stopping.set()
        for worker in getattr(self, "_workers", []):
            worker.stop()
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=8)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        for part in self.service.parts.values():
            if close := getattr(part, "close", None):
                await close()
        await self.db.close()

    async def _settle(self, tx: Transaction) -> None:
        """Early facts that wait for what this transaction adds take effect in it."""
        if tx.added:
            counted = Counted()
            await self.inbox.apply_early(tx, counted)

    def _told(self, tx: Transaction) -> None:
        self.relay.wake()
        for name in tx.woken:
            self.jobs[name].wake()

    def alive(self) -> bool:
        """Whether every worker runs and the consumer has come round of late."""
        stale = self.consumer and self.consumer.came_round and asyncio.get_running_loop().time() - self.consumer.came_round > STALE_SECONDS
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
        if self.consumer and not self.consumer.joined.is_set():
            missing.append("kafka")
        return missing

    async def status(self) -> dict[str, Any]:
        """Readiness, consumer lag, outbox, parked events and early facts, by stable names."""
        missing = await self.missing()
        if "mongodb" in missing:
            return {"service": self.service.name, "ready": False, "missing": missing}
        oldest = await self.db.find("outbox", {"sent": False}, sort=[("at", 1)], limit=1, fields={"at": 1})
        now = self.engine.clock()
        parked = await self.db.count("inbox", {"state": "parked"})
        keys = await self.db.count("parked", {"kind": MARKER})
        early = await self.db.find("early", {}, sort=[("since", 1)], limit=1, fields={"since": 1})
        telemetry.PARKED.set(parked)
        telemetry.PARKED_KEYS.set(keys)
        return {
            "service": self.service.name,
            "ready": not missing,
            "missing": missing,
            "driver": self.service.settings.mongo_driver,
            "environment": self.service.settings.environment,
            "egress_allow": self.service.settings.egress_allow,
            "consumer_lag": sum(sample.value for metric in telemetry.CONSUMER_LAG.collect() for sample in metric.samples),
            "outbox": {
                "unsent": await self.db.count("outbox", {"sent": False}),
                "oldest_seconds": (now - oldest[0]["at"]).total_seconds() if oldest else 0,
                "stopped_keys": await self.db.count("parked", {"kind": STOPPED}),
            },
            "parked": {"events": parked, "keys": keys},
            "early": {"waiting": await self.db.count("early", {}), "oldest_seconds": (now - early[0]["since"]).total_seconds() if early else 0},
        }
