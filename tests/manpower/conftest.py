"""One running manpower for each module of wire tests, on real MongoDB and Kafka, beside a stand-in for training's identity query."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from chassis.messaging.kafka import KafkaProducer
from chassis.persistence.mongo import Mongo
from services.manpower.app import create_app
from services.manpower.settings import ManpowerSettings
from tests.fakes import Keys, running
from tests.manpower.harness import CURSOR_KEY, Region, Service, Training


@pytest.fixture(scope="module")
async def service(
    tmp_path_factory: pytest.TempPathFactory, mongo_url: str, kafka: str
) -> AsyncIterator[Service]:
    """The running service."""
    keys = Keys.make(tmp_path_factory.mktemp("keys"))
    async with Training(keys.directory).serving() as training:
        driver = os.environ.get("BINA_MONGO_DRIVER", "motor")
        servers = {
            "mongo_url": mongo_url,
            "database": f"test_{uuid4().hex[:20]}",
            "kafka": kafka,
            "driver": driver,
        }
        values = keys.settings(
            "manpower",
            **servers,
            training_url=training.url,
            gateway_url="http://127.0.0.1:9",
            cursor_key=CURSOR_KEY,
        )
        settings = ManpowerSettings(**values)
        app = create_app(settings)
        producer = KafkaProducer(kafka, "tests")
        await producer.start()
        async with running(app, keys, "manpower") as client:
            yield Service(
                client=client, producer=producer, namespace=settings.namespace, training=training
            )
        await producer.stop()
    cleaner = Mongo(
        settings.mongo_url.get_secret_value(), app.state.life.database(), settings.mongo_driver
    )
    await cleaner.drop()
    await cleaner.close()


@pytest.fixture
async def region(service: Service) -> AsyncIterator[Region]:
    """A prison, a Dinas and an employer of this test's own."""
    place = Region(service)
    await place.open()
    yield place
    place.restore()
