"""A running manpower for wire tests, on real MongoDB and Kafka.

All modules that a worker runs in a row share it.
"""

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
from tests.manpower.fakes import FakeGateway, FakeTraining, Service
from tests.manpower.harness import RegionHarness


@pytest.fixture(scope="package")
async def service(
    tmp_path_factory: pytest.TempPathFactory, mongo_url: str, kafka: str
) -> AsyncIterator[Service]:
    """Run the service beside fakes of the queries at training and the gateway."""
    keys = Keys.make(tmp_path_factory.mktemp("keys"))
    async with (
        FakeTraining(keys.directory).serving() as training,
        FakeGateway(keys.directory).serving() as gateway,
    ):
        values = keys.settings(
            "manpower",
            mongo_url=mongo_url,
            database=f"test_{uuid4().hex[:20]}",
            kafka=kafka,
            driver=os.environ.get("BINA_MONGO_DRIVER", "motor"),
            training_url=training.url,
            gateway_url=gateway.url,
        )
        settings = ManpowerSettings(**values)
        app = create_app(settings)
        producer = KafkaProducer(kafka, "tests")
        await producer.start()
        async with running(app, keys, "manpower") as client:
            yield Service(
                client=client,
                producer=producer,
                namespace=settings.namespace,
                training=training,
                gateway=gateway,
            )
        await producer.stop()
    database_url = settings.mongo_url.get_secret_value()
    cleaner = Mongo(database_url, app.state.life.database(), settings.mongo_driver)
    await cleaner.drop()
    await cleaner.close()


@pytest.fixture
async def region(service: Service) -> AsyncIterator[RegionHarness]:
    """Give a test a prison, a Dinas and an employer of its own."""
    region = RegionHarness(service)
    await region.open()
    yield region
    region.restore()
