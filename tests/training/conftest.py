"""The running service for wire tests: one app with a database of its own per module."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator

import pytest

from chassis.ids import new_id
from services.training.app import create_app
from services.training.settings import TrainingSettings
from tests.fakes import AsgiClient, Keys, running
from tests.training import factories
from tests.training.factories import FacilityHarness

MASTER = "0a" * 32
LOOKUP = "0b" * 32


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys.make(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def settings(keys: Keys, mongo_url: str, kafka: str) -> TrainingSettings:
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


@pytest.fixture(scope="module")
async def service(settings: TrainingSettings, keys: Keys) -> AsyncIterator[AsgiClient]:
    app = create_app(settings)
    async with running(app, keys, "training") as client:
        yield client
    await factories.drop_database(app)


@pytest.fixture(scope="module")
async def crowd(service: AsgiClient) -> FacilityHarness:
    """Create a facility with twenty people; every test has classes of its own."""
    return await factories.create_harness(service, [new_id() for _ in range(20)])
