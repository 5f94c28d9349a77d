"""The running service with its surroundings: training's topic and queries, our own topic.

Not here: what a test certifies (factories).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx2

from chassis.caller import system
from chassis.ids import new_id, utc_now
from chassis.messaging.events import Envelope
from chassis.messaging.kafka import KafkaConsumer, KafkaProducer
from chassis.messaging.kafka_ports import Partition, Record
from chassis.persistence.mongo import Mongo
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext
from services.certification.app import create_app
from services.certification.credentials.document import WESTERN_INDONESIA
from services.certification.settings import CertificationSettings
from services.certification.transaction import Transaction
from tests.certification.fakes import FakeTraining
from tests.fakes import AsgiClient, Keys, running, send

Json = dict[str, Any]
R = TypeVar("R")
ORIGIN = "https://sertifikat.example"


def today() -> date:
    """Return the day on which certificates are decided now."""
    return utc_now().astimezone(WESTERN_INDONESIA).date()


@dataclass(slots=True)
class ServiceResources:
    """What outlives one process of the service: settings, database, keys, training."""

    keys: Keys
    settings: CertificationSettings
    training: FakeTraining

    @classmethod
    @asynccontextmanager
    async def create(
        cls, folder: Path, mongo_url: str, kafka: str
    ) -> AsyncGenerator[ServiceResources]:
        """Create them in this folder; the database is dropped afterwards."""
        (folder / "trusted").mkdir()
        keys = Keys.make(folder / "trusted")
        training = FakeTraining(keys)
        async with training.serve():
            own: Json = {
                "name_key": "22" * 32,
                "keys_dir": folder / "issuers",
                "training_url": training.url,
                "tick_seconds": 1,
                "driver": os.environ.get("BINA_MONGO_DRIVER", "motor"),
            }
            database = f"test_{uuid4().hex[:20]}"
            values = keys.settings(
                "certification", mongo_url=mongo_url, database=database, kafka=kafka, **own
            )
            surroundings = cls(keys, CertificationSettings(**values), training)
            yield surroundings
            cleaner = surroundings.connect()
            await cleaner.drop()
            await cleaner.close()

    def connect(self) -> Mongo:
        """Return a connection of its own to the service's database."""
        return Mongo(
            self.settings.mongo_url.get_secret_value(),
            self.settings.namespace.rstrip("."),
            self.settings.mongo_driver,
        )


@dataclass(slots=True)
class Harness:
    """One running service. `events` are those that it has published."""

    client: AsgiClient
    keys: Keys
    settings: CertificationSettings
    training: FakeTraining
    producer: KafkaProducer
    sequence: int = 0
    events: list[Json] = field(default_factory=list[Json])

    @classmethod
    @asynccontextmanager
    async def create(cls, folder: Path, mongo_url: str, kafka: str) -> AsyncGenerator[Harness]:
        """Start the service on a database of its own, which is dropped afterwards."""
        async with (
            ServiceResources.create(folder, mongo_url, kafka) as surroundings,
            cls.start(surroundings) as harness,
        ):
            yield harness

    @classmethod
    @asynccontextmanager
    async def start(cls, surroundings: ServiceResources) -> AsyncGenerator[Harness]:
        """Start the service in existing surroundings."""
        producer = KafkaProducer(surroundings.settings.kafka, "fake-training")
        await producer.start()
        app = create_app(surroundings.settings)
        async with running(app, surroundings.keys, "certification") as client:
            harness = cls(
                client, surroundings.keys, surroundings.settings, surroundings.training, producer
            )
            collecting = asyncio.create_task(harness.collect_events())
            yield harness
            collecting.cancel()
            await asyncio.gather(collecting, return_exceptions=True)
        await producer.stop()

    @property
    def engine(self) -> TransactionManager[Transaction]:
        return self.client.app.state.engine

    @property
    def runner(self) -> Runner[Transaction]:
        """A runner that acts as the service itself, as events and jobs do."""
        context = OperationContext(caller=system("certification"), correlation_id=new_id())
        return Runner(self.engine, context)

    @property
    def public(self) -> AsgiClient:
        """A client without a token, such as somebody who checks a paper."""
        return self.client.as_("public", subject="public")

    async def publish_from_training(self, type_: str, key: str, **data: Any) -> None:
        """Publish an event of training."""
        self.sequence += 1
        envelope = Envelope(
            id=new_id(),
            type=type_,
            source="bina/training",
            key=key,
            time=utc_now(),
            sequence=self.sequence,
        )
        topic = f"{self.settings.namespace}training.events"
        await send(self.producer, topic, key, json.dumps(data).encode(), envelope.headers())

    async def collect_events(self) -> None:
        """Collect what certification publishes, from the beginning of its topic."""
        group = f"{self.settings.namespace}listener"
        topic = f"{self.settings.namespace}certification.events"
        consumer = KafkaConsumer(self.settings.kafka, group, group, [topic])
        await consumer.start(_seek_to_beginning, _ignore_revocation)
        try:
            while True:
                for records in (await consumer.poll(500, 0.5)).values():
                    self.events.extend(_event(record) for record in records)
        finally:
            await consumer.stop()

    async def events_of(self, kind: str, **where: Any) -> list[Json]:
        """Return the published events of a kind with these values."""
        return [
            event
            for event in self.events
            if event["type"] == f"certification.{kind}.v1"
            and all(event["data"].get(name) == value for name, value in where.items())
        ]

    async def run_as_service(self, use_case: Callable[[Transaction], Awaitable[R]]) -> R:
        """Run a use case as the service itself."""
        return await self.runner(use_case)

    async def stored(self, collection: str, **where: Any) -> list[Json]:
        """Return documents as they are stored."""
        return await self.client.app.state.life.db.find(collection, where)

    async def get_public(self, url: str, accept: str = "*/*") -> httpx2.Response:
        """Return the answer of a public address of ours."""
        path = url.removeprefix(ORIGIN).removeprefix(ORIGIN.upper())
        return await self.public.get(path, headers={"accept": accept})


async def _seek_to_beginning(partitions: set[Partition]) -> dict[Partition, int | None]:
    return dict.fromkeys(partitions, 0)


async def _ignore_revocation(_: set[Partition]) -> None:
    return None


def _event(record: Record) -> Json:
    headers = {name: value.decode() for name, value in record.headers}
    return {
        "type": headers["ce_type"],
        "key": (record.key or b"").decode(),
        "headers": headers,
        "data": json.loads(record.value or b"{}"),
    }


async def done(request: Awaitable[httpx2.Response], status: int = 200) -> Any:
    """Return the JSON answer, which must have this status."""
    answer = await request
    assert answer.status_code == status, answer.text
    return answer.json()


async def refused(request: Awaitable[httpx2.Response], status: int = 422) -> set[str]:
    """Return the codes of a refusal, which must have this status."""
    answer = await request
    assert answer.status_code == status, answer.text
    body = answer.json()
    return {reason["code"] for reason in body.get("reasons", [])} or {body["code"]}


async def change(client: AsgiClient, method: str, path: str, json: Any = None) -> httpx2.Response:
    """Change an existing aggregate, with its current version as If-Match.

    The aggregate is the one at the first three segments of the path.
    """
    aggregate = "/".join(path.split("/")[:4])
    shown = await client.get(aggregate)
    version = shown.json().get("version", 1)
    headers = {"if-match": f'"{version}"'}
    return await client.request(method, path, json=json, headers=headers)
