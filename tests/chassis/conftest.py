"""Fixtures of the chassis's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chassis.admin import operator_api
from chassis.app import database_setup
from chassis.app.factory import create_app
from chassis.app.service import Service
from chassis.persistence.mongo import Mongo
from tests.chassis.harness import Asked, Harness, in_memory, on_asked
from tests.chassis.sample_service import HANDLERS, JarFilled, ShopSettings, Transaction, router
from tests.database_pool import databases_of
from tests.fakes import FakeKafka, Keys, running

databases, database = databases_of(Transaction)


@pytest.fixture
async def harness(
    tmp_path: Path, mongo_url: str, kafka: str, database: str
) -> AsyncIterator[Harness]:
    keys = Keys.make(tmp_path, ("gateway", "shop"))
    settings = ShopSettings(
        **keys.settings("shop", mongo_url=mongo_url, database=database, kafka=kafka)
    )
    fake = FakeKafka()

    handlers = {"outside.events": {**HANDLERS["outside.events"], Asked: on_asked}}
    service = Service(
        name="shop",
        settings=settings,
        transaction=Transaction,
        routers=(router, operator_api.router("shop")),
        published=(JarFilled,),
        handlers=handlers,
    )
    app = create_app(service, lifetime=in_memory(fake))
    async with running(app, keys, "shop") as client:
        yield Harness(app.state.life, fake, client)


@pytest.fixture
async def db(mongo_url: str, database: str, tmp_path: Path) -> AsyncIterator[Mongo]:
    url = Keys(tmp_path, {"shop": ""}).settings(
        "shop", mongo_url=mongo_url, database=database, kafka=""
    )["mongo_url"]
    one = Mongo(url, database)
    await database_setup.prepare(one, Transaction)
    yield one
    await one.close()
