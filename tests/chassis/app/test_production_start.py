"""What a start in production refuses: servers without TLS or password, and unfit topics."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from chassis.app.lifespan import ServiceRuntime
from chassis.app.service import Service
from chassis.ids import new_id
from chassis.messaging import kafka_topics
from chassis.messaging.kafka_topics import TopicUnfit
from chassis.settings import SettingsInvalid
from tests.chassis.sample_service import JarFilled, ShopSettings, Transaction
from tests.fakes import Keys, eventually

PROTECTED = "mongodb://shop:secret-word@mongo/shop?tls=true"


@pytest.fixture
def variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Set variables that production accepts."""
    (tmp_path / "ca.crt").write_text("")
    for name, value in {
        "BINA_ENVIRONMENT": "production",
        "BINA_KAFKA_CA": str(tmp_path / "ca.crt"),
        "SHOP_MONGO_URL": PROTECTED,
        "SHOP_KAFKA_PASSWORD": "secret-word",
        "SHOP_SIGNING_KEY": "pem",
        "SHOP_TRUSTED_KEYS": str(tmp_path),
        "SHOP_AUDIT_KEY": "11" * 32,
        "SHOP_PORT": "0",
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize(
    "url",
    [
        PROTECTED,
        "mongodb+srv://shop:secret-word@mongo/shop",
        "mongodb://shop:secret-word@a,b,c/shop?replicaSet=x&ssl=true",
    ],
)
def test_production_accepts_servers_with_tls_and_passwords(
    variables: pytest.MonkeyPatch, url: str
) -> None:
    variables.setenv("SHOP_MONGO_URL", url)
    assert ShopSettings.load().environment == "production"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SHOP_MONGO_URL", "mongodb://shop:secret-word@mongo/shop", "needs TLS to MongoDB"),
        ("SHOP_MONGO_URL", f"{PROTECTED}&tls=false", "needs TLS to MongoDB"),
        ("SHOP_MONGO_URL", "mongodb+srv://a:secret-word@m/shop?tls=false", "needs TLS to MongoDB"),
        ("SHOP_MONGO_URL", "mongodb://mongo/shop?tls=true", "needs a user and a password"),
        ("SHOP_MONGO_URL", "mongodb://shop@mongo/shop?tls=true", "needs a user and a password"),
        ("BINA_KAFKA_CA", "", "needs TLS to Kafka"),
        ("SHOP_KAFKA_PASSWORD", "", "needs a password for Kafka"),
    ],
)
def test_production_refuses_servers_without_tls_or_password(
    variables: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    if value:
        variables.setenv(name, value)
    else:
        variables.delenv(name)
    with pytest.raises(SettingsInvalid) as refused:
        ShopSettings.load()
    [line] = str(refused.value).splitlines()[1:]
    assert name in line
    assert said in line
    assert "secret-word" not in line


def test_development_accepts_servers_without_tls_and_passwords(
    variables: pytest.MonkeyPatch,
) -> None:
    variables.setenv("BINA_ENVIRONMENT", "development")
    variables.setenv("SHOP_MONGO_URL", "mongodb://mongo/shop")
    variables.delenv("SHOP_KAFKA_PASSWORD")
    variables.delenv("BINA_KAFKA_CA")
    assert ShopSettings.load().environment == "development"


def runtime(
    tmp_path: Path, mongo_url: str, database: str, kafka: str, **more: Any
) -> ServiceRuntime:
    settings = ShopSettings(
        **Keys.make(tmp_path, ("gateway", "shop")).settings(
            "shop", mongo_url=mongo_url, database=database, kafka=kafka, **more
        )
    )
    return ServiceRuntime(
        Service(
            name="shop",
            settings=settings,
            transaction=Transaction,
            routers=(),
            published=(JarFilled,),
        )
    )


async def test_production_ends_when_its_topic_has_another_number_of_partitions(
    tmp_path: Path, mongo_url: str, database: str, kafka: str
) -> None:
    namespace = f"{new_id()}."
    more = {"environment": "production", "namespace": namespace}
    life = runtime(tmp_path, mongo_url, database, kafka, **more)
    topic = f"{namespace}shop.events"
    await kafka_topics.ensure_topic(kafka, topic, partitions=13)
    async with life.lifespan(None):
        await eventually(lambda: life.fatal, seconds=60)
        assert f"topic {topic} has 13 partitions instead of 12" in life.fatal


async def test_a_created_topic_has_twelve_partitions_and_thirty_days(
    kafka: str,
) -> None:
    topic = new_id()
    await kafka_topics.ensure_topic(kafka, topic)
    await eventually(partial(fits, kafka, topic))
    assert await retention_ms(kafka, topic) == str(30 * 86_400_000)
    other = new_id()
    await kafka_topics.ensure_topic(kafka, other, partitions=2)
    with pytest.raises(TopicUnfit, match="2 partitions instead of 12"):
        await eventually(partial(fits, kafka, other))


async def fits(kafka: str, topic: str) -> bool:
    """Return whether the broker knows the topic by now. Raises TopicUnfit."""
    try:
        await kafka_topics.check_partitions(kafka, [topic])
    except kafka_topics.KafkaUnavailable:
        return False
    return True


async def retention_ms(kafka: str, topic: str) -> str:
    """Return the topic's `retention.ms` as the broker has it."""
    async with kafka_topics.administering(kafka) as admin:
        wanted = ConfigResource(ConfigResourceType.TOPIC, topic)
        [answer] = await admin.describe_configs([wanted])
    [resource] = answer.resources
    values = {entry[0]: entry[1] for entry in resource[4]}
    return values["retention.ms"]
