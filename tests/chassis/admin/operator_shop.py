"""The sample service as its operator reaches it. Not here: tests."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from chassis import telemetry
from chassis.admin import operator_api
from chassis.admin.parked_event_admin import encode_segment
from chassis.admin.projections import Projection
from chassis.app.factory import create_app
from chassis.app.lifespan import ServiceRuntime
from chassis.app.service import Service
from chassis.ids import new_id, utc_now
from chassis.messaging.events import Inbound, Reference
from tests.chassis.messaging.test_pipeline import OutsideService
from tests.chassis.sample_service import (
    HANDLERS,
    JarFilled,
    Note,
    Notes,
    ShopSettings,
    TooFew,
    Transaction,
    router,
)
from tests.fakes import AsgiClient, FakeKafka, Keys, eventually, running

ROOT = "/v1/operations/shop"
UNLUCKY = 7


class FilledHeard(Inbound, type="shop.jar-filled.v1"):
    owner_ref: Reference
    jar_id: str
    marbles: int


async def on_filled(event: FilledHeard, tx: Transaction) -> None:
    """Note the marbles of each jar event: the shop consumes its own topic."""
    if event.marbles == 1:  # published by a note, which these tests do not count
        return
    if event.marbles == UNLUCKY:
        raise TooFew
    note = await tx.notes.seek(event.owner_ref) or tx.notes.add(
        Note(id=event.owner_ref, owner_ref=event.owner_ref)
    )
    tx.notes.save(note, replace(note, texts=(*note.texts, str(event.marbles))))


# The shop's own events make the notes of owners `own-...`; events from outside make all others.
NOTES = Projection(
    name="notes",
    store=Notes,
    handlers={FilledHeard: on_filled},
    own={"_id": {"$regex": "^own-"}},
    recorded_at="recorded_at",
)


class OperatorHarness(OutsideService):
    """The shop as its operator reaches it, and another service that sends it events."""

    def __init__(
        self, life: ServiceRuntime, send: Any, client: AsgiClient, fake: FakeKafka
    ) -> None:
        super().__init__(life, send)
        self.client = client
        self.fake = fake
        self.operator = client.as_("operator", subject="operator-1")
        self.officer = client.as_("officer", facility="room")

    async def stuck(self, *texts: str) -> tuple[str, str]:
        """Return a new owner and the id of a sequence blocked by the first of these notes."""
        owner = await self.admitted()
        for text in texts:
            await self.note(owner, text)
        return owner, await self.waiting(owner, len(texts))

    async def waiting(self, key: str, count: int) -> str:
        marker = await eventually(lambda: self.db.find_one("parked", {"key": key, "count": count}))
        return encode_segment(marker["_id"])

    async def measured_lag(self) -> dict[str, Any] | None:
        answer = await self.get("/lag")
        return (
            answer if all(isinstance(one["behind"], int) for one in answer["partitions"]) else None
        )

    async def filled(self, owner: str, *marbles: int) -> None:
        """Create a jar for this owner and fill in these marbles, one event for each number."""
        jar = new_id()
        assert (
            await self.officer.post(
                "/v1/jars", json={"id": jar, "owner_ref": owner, "room": "room"}
            )
        ).status_code == 201
        for number in marbles:
            assert (
                await self.officer.post(f"/v1/jars/{jar}/fillings", json={"marbles": number})
            ).status_code == 200

    async def sent(self, owner: str, count: int) -> None:
        """Wait until that many of this owner's events are marked as sent.

        A replay publishes only events that are marked.
        """

        async def marked() -> bool:
            return await self.db.count("outbox", {"key": owner, "sent": True}) == count

        await eventually(marked)

    async def get(self, path: str) -> dict[str, Any]:
        answer = await self.operator.get(ROOT + path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(
        self, path: str, body: Any = None, *, expect: int = 200, **headers: str
    ) -> dict[str, Any]:
        answer = await self.operator.post(
            ROOT + path,
            json=body,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def version(self, sequence: str) -> str:
        return f'"{(await self.get(f"/parked/{sequence}"))["version"]}"'

    async def audited(self, action: str, subject: str) -> list[dict[str, Any]]:
        return await self.db.find(
            "audit",
            {"action": action, "subject": subject, "actor": "operator-1", "role": "operator"},
        )

    def stretch(self, key: str, since: datetime, **more: Any) -> dict[str, Any]:
        return {
            "from": since.isoformat(),
            "to": (utc_now() + timedelta(seconds=1)).isoformat(),
            "key": key,
        } | more


@asynccontextmanager
async def opened(
    broker: str, driver: str, directory: Path, mongo_url: str, kafka: str
) -> AsyncGenerator[OperatorHarness]:
    keys = Keys.make(directory, ("gateway", "shop"))
    fake = FakeKafka()
    settings = ShopSettings(
        **keys.settings(
            "shop",
            mongo_url=mongo_url,
            database=f"test_{uuid.uuid4().hex[:20]}",
            kafka=kafka,
            driver=driver or "motor",
        )
    )

    class InMemory(ServiceRuntime):
        def new_producer(self) -> Any:
            return fake.producer()

        def new_consumer(self) -> Any:
            return fake.consumer("shop", self.inbox.topics)

    handlers = HANDLERS | {"shop.events": {FilledHeard: on_filled}}
    app = create_app(
        Service(
            name="shop",
            settings=settings,
            transaction=Transaction,
            routers=(router, operator_api.router("shop", [NOTES])),
            published=(JarFilled,),
            handlers=handlers,
        ),
        lifetime=InMemory if broker == "fake" else ServiceRuntime,
    )
    life: ServiceRuntime = app.state.life
    producer: Any = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()

    async def send(topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        if broker == "fake":
            await fake.append(topic, key, value, headers)
        else:
            await producer.send_and_wait(topic, value, key=key, headers=headers)

    cleaner = life.new_mongo()
    try:
        async with running(app, keys, "shop") as client:
            yield OperatorHarness(life, send, client, fake)
    finally:
        await producer.stop()
        await cleaner.drop()
        await cleaner.close()


async def serve_shop(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    mongo_url: str,
    kafka: str,
) -> AsyncIterator[OperatorHarness]:
    broker, _, driver = request.param.partition("-")
    async with opened(broker, driver, tmp_path_factory.mktemp("shop"), mongo_url, kafka) as one:
        yield one


async def all_sent(shop: OperatorHarness) -> bool:
    """Return whether the outbox has no unsent row."""
    return (await shop.get("/outbox"))["unsent"] == 0


async def stopped_keys(wanted: int) -> bool:
    """Return whether the gauge shows this number of blocked keys."""
    return [
        sample.value for metric in telemetry.OUTBOX_STOPPED.collect() for sample in metric.samples
    ] == [wanted]
