"""A running marketplace for wire tests, on real MongoDB and Kafka.

All modules that a worker runs in a row share it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from chassis.persistence.mongo import Mongo
from services.marketplace.app import create_app
from services.marketplace.settings import MarketplaceSettings
from tests.fakes import AsgiClient, Keys, running
from tests.marketplace.harness import KEY, LapasHarness


@pytest.fixture(scope="package")
async def service(
    tmp_path_factory: pytest.TempPathFactory, mongo_url: str, kafka: str
) -> AsyncIterator[AsgiClient]:
    """Yield a client of the running service."""
    keys = Keys.make(tmp_path_factory.mktemp("keys"))
    values = keys.settings(
        "marketplace",
        mongo_url=mongo_url,
        database=f"test_{uuid4().hex[:20]}",
        kafka=kafka,
        driver=os.environ.get("BINA_MONGO_DRIVER", "motor"),
        sandbox_key=KEY,
    )
    settings = MarketplaceSettings(**values)
    app = create_app(settings)
    async with running(app, keys, "marketplace") as client:
        yield client
    database = app.state.life.database()
    cleaner = Mongo(settings.mongo_url.get_secret_value(), database, settings.mongo_driver)
    await cleaner.drop()
    await cleaner.close()


@pytest.fixture
async def lapas(service: AsgiClient) -> LapasHarness:
    """Return a Lapas of this test's own, with a workshop, a product and a policy."""
    lapas = LapasHarness(service)
    await lapas.open_workshop()
    return lapas
