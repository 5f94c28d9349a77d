"""One running marketplace for each module of wire tests, on real MongoDB and Kafka."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from chassis.persistence.mongo import Mongo
from services.marketplace.app import create_app
from services.marketplace.settings import MarketplaceSettings
from tests.fakes import AsgiClient, Keys, running
from tests.marketplace.harness import KEY, Lapas


@pytest.fixture(scope="module")
async def service(
    tmp_path_factory: pytest.TempPathFactory, mongo_url: str, kafka: str
) -> AsyncIterator[AsgiClient]:
    """The running service."""
    keys = Keys.make(tmp_path_factory.mktemp("keys"))
    driver = os.environ.get("BINA_MONGO_DRIVER", "motor")
    values = keys.settings(
        "marketplace",
        mongo_url=mongo_url,
        database=f"test_{uuid4().hex[:20]}",
        kafka=kafka,
        driver=driver,
        sandbox_key=KEY,
    )
    settings = MarketplaceSettings(**values)
    app = create_app(settings)
    async with running(app, keys, "marketplace") as client:
        yield client
    life = app.state.life
    cleaner = Mongo(settings.mongo_url.get_secret_value(), life.database(), settings.mongo_driver)
    await cleaner.drop()
    await cleaner.close()


@pytest.fixture
async def lapas(service: AsgiClient) -> Lapas:
    """A Lapas of this test's own, with a workshop, a product and a policy."""
    place = Lapas(service)
    await place.open_workshop()
    return place
