"""The running service for wire tests: one app on a database of its own per module, and callers of any role."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator

import pytest

from services.training.app import create_app
from services.training.settings import TrainingSettings
from tests.fakes import AsgiClient, Keys, running
from tests.training import factories

MASTER, LOOKUP = "0a" * 32, "0b" * 32


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
    await factories.dropped(app)
