"""The promises of docs/guarantees.md as invariants of generated stories.

A story has commits, deaths, duplicates, losses, rebalances, parked events and merges.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import (
    run_state_machine_as_test,
)

from chassis.app import database_setup
from chassis.ids import new_id
from chassis.messaging.kafka_topics import ensure_topic
from chassis.persistence.mongo import Mongo
from tests.chassis.sample_service import ShopSettings
from tests.fakes import Keys
from tests.model.bad_records import BadRecordsModel
from tests.model.harness import Broker, Harness, InMemoryBroker, KafkaBroker, service_of
from tests.model.sample_service import Transaction

SEED = "BINA_MODEL_SEED"
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


def play(
    tmp_path: Path,
    mongo_url: str,
    database: str,
    kafka: str,
    new_broker: Callable[[], Awaitable[tuple[Broker, str]]],
    wanted: settings,
) -> None:
    """Play the model: each example on an empty database, a new broker or topic.

    The stories are others in each run, also in CI. The printed seed repeats them.
    """
    number = int(os.environ.get(SEED) or random.SystemRandom().randrange(2**32))
    print(f"{SEED}={number} repeats these stories")  # noqa: T201 - shown if a story fails
    keys = Keys.make(tmp_path, ("gateway", "shop"))
    base = ShopSettings(
        **keys.settings(
            "shop", mongo_url=mongo_url, database=database, kafka=kafka, driver="pymongo"
        )
    )
    db = Mongo(base.mongo_url.get_secret_value(), database, "pymongo")

    async def fresh() -> Harness:
        for name in await db.collections():
            await db.delete(name, {})
        broker, namespace = await new_broker()
        return Harness(db, broker, service_of(base.model_copy(update={"namespace": namespace})))

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as loop:
        loop.run(database_setup.prepare(db, Transaction))
        try:
            run_state_machine_as_test(
                seed(number)(
                    type("Played", (BadRecordsModel,), {"begin": staticmethod(fresh), "loop": loop})
                ),
                settings=wanted,
            )
        finally:
            loop.run(db.close())


def sized(examples: int, steps: int) -> settings:
    """Return settings for this many stories of this many steps.

    The profile `long` has 16 times as many stories of twice the length.
    """
    if settings.get_current_profile_name() == "long":
        examples *= 16
        steps *= 2
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        suppress_health_check=SLOW,
        derandomize=False,
        database=None,
    )


@pytest.mark.timeout(3_600)
def test_committed_events_take_effect_once_in_order_whatever_happens(
    tmp_path: Path, mongo_url: str, database: str
) -> None:
    async def in_memory() -> tuple[Broker, str]:
        return InMemoryBroker(), ""

    play(tmp_path, mongo_url, database, "", in_memory, sized(25, 30))


@pytest.mark.timeout(3_600)
def test_the_model_holds_on_a_real_broker_whatever_happens(
    tmp_path: Path, mongo_url: str, database: str, kafka: str
) -> None:
    async def on_kafka() -> tuple[Broker, str]:
        namespace = f"{new_id()}."
        await ensure_topic(kafka, f"{namespace}shop.events", partitions=2)
        return KafkaBroker(kafka), namespace

    play(tmp_path, mongo_url, database, kafka, on_kafka, sized(3, 15))
