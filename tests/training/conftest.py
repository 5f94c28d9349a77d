"""The running service for wire tests: one for all modules that a worker runs in a row."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest

from chassis.ids import new_id
from services.training.app import create_app
from services.training.settings import TrainingSettings
from tests.fakes import AsgiClient, Keys, running
from tests.training import factories
from tests.training.factories import FacilityHarness

MASTER = "0a" * 32
LOOKUP = "0b" * 32


@pytest.fixture(scope="package")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys.make(tmp_path_factory.mktemp("keys"))


def new_settings(keys: Keys, mongo_url: str, kafka: str) -> TrainingSettings:
    """Return settings with a database and topics of their own."""
    driver = os.environ.get("BINA_MONGO_DRIVER", "motor")
    database = f"test_training_{uuid.uuid4().hex[:12]}"
    return TrainingSettings(
        **keys.settings(
            "training",
            mongo_url=mongo_url,
            database=database,
            kafka=kafka,
            driver=driver,
            master_key=MASTER,
            lookup_key=LOOKUP,
        )
    )


@pytest.fixture(scope="package")
def settings(keys: Keys, mongo_url: str, kafka: str) -> TrainingSettings:
    return new_settings(keys, mongo_url, kafka)


@pytest.fixture(scope="package")
async def service(settings: TrainingSettings, keys: Keys) -> AsyncIterator[AsgiClient]:
    async with started(settings, keys) as client:
        yield client


@pytest.fixture(scope="module")
async def fresh_service(keys: Keys, mongo_url: str, kafka: str) -> AsyncIterator[AsgiClient]:
    """Start a service for tests that count everything in the database."""
    async with started(new_settings(keys, mongo_url, kafka), keys) as client:
        yield client


@asynccontextmanager
async def started(settings: TrainingSettings, keys: Keys) -> AsyncGenerator[AsgiClient]:
    """Yield a client of a service whose database is dropped at the end."""
    app = create_app(settings)
    async with running(app, keys, "training") as client:
        yield client
    await factories.drop_database(app)


@pytest.fixture(scope="package")
async def crowd(service: AsgiClient) -> FacilityHarness:
    """Create a facility with twenty people; every test has classes of its own."""
    return await factories.create_harness(service, [new_id() for _ in range(20)])
