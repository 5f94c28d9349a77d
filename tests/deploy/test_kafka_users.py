"""With authentication each service does at Kafka what is its own and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from chassis.app.factory import create_app
from chassis.ids import new_id, utc_now
from chassis.messaging.kafka import KafkaConsumer, KafkaProducer
from chassis.messaging.kafka_ports import BrokerAccess, Partition, SendFailed
from chassis.messaging.kafka_topics import KafkaUnavailable, ensure_topic
from ops.local import kafka_admin, kafka_broker, platform_checks, processes, topology
from tests.chassis.harness import added, runner
from tests.chassis.sample_service import Jar, ShopSettings
from tests.crash.sample_service import TOPIC, shop
from tests.fakes import AsgiClient, Keys, eventually, send

SHOP = topology.Service(
    name="shop", module="", listener=topology.Listener(name="shop", offset=0), consumes=("shop",)
)
SERVICES = (*topology.PROCESSES, SHOP)
KEY = "a"
PARTITION = 4  # of the key, among twelve
TOPICS = tuple(f"{service.name}.events" for service in SERVICES)


@dataclass(frozen=True, slots=True)
class SecuredBroker:
    """A broker with authentication, its administrator, and each service's password."""

    bootstrap: str
    administrator: BrokerAccess
    passwords: Mapping[str, str]

    def as_(self, user: str) -> BrokerAccess:
        return BrokerAccess(self.bootstrap, user, self.passwords[user])


@pytest.fixture(scope="module")
async def secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[SecuredBroker]:
    directory = tmp_path_factory.mktemp("guarded")
    passwords = {service.name: new_id() for service in SERVICES}
    server, administrator = await kafka_broker.start_authenticated(
        directory / "kafka", "secret", directory / "kafka.log"
    )
    try:
        await kafka_admin.make_users(administrator, passwords, SERVICES)
        for topic in TOPICS:
            assert await writes(administrator, topic)
        yield SecuredBroker(server.bootstrap, administrator, passwords)
    finally:
        processes.end(server.process)


async def writes(where: BrokerAccess, topic: str) -> bool:
    """Return whether the broker accepts a record of this user."""
    producer = KafkaProducer(where, "test")
    try:
        async with asyncio.timeout(15):
            await producer.start()
            await send(producer, topic, KEY, b"value")
    except SendFailed:
        return False
    finally:
        await producer.stop()
    return True


async def reads(where: BrokerAccess, topic: str) -> bool:
    """Return whether this user sees the topic and reads its records."""
    consumer: Any = AIOKafkaConsumer(**where.options(), auto_offset_reset="earliest")
    try:
        async with asyncio.timeout(15):
            await consumer.start()
            if topic not in await consumer.topics():
                return False
            consumer.assign([TopicPartition(topic, PARTITION)])
            return bool(await consumer.getmany(timeout_ms=10_000, max_records=1))
    except KafkaUnavailable:
        return False
    finally:
        await consumer.stop()


async def joins(where: BrokerAccess, group: str, topics: set[str]) -> set[str]:
    """Return the topics of which this user is assigned partitions in the group."""
    assigned: set[Partition] = set()

    async def assign(partitions: set[Partition]) -> Mapping[Partition, int | None]:
        assigned.update(partitions)
        return dict.fromkeys(partitions)

    async def revoke(_: set[Partition]) -> None:
        return

    consumer = KafkaConsumer(where, group, f"{group}-test", topics)
    try:
        async with asyncio.timeout(15):
            await consumer.start(assign, revoke)
            while not assigned:
                await consumer.poll(1, 0.1)
    except KafkaUnavailable:
        return set()
    finally:
        await consumer.stop()
    return {partition.topic for partition in assigned}


@pytest.mark.parametrize("service", topology.PROCESSES, ids=lambda service: service.name)
async def test_a_service_writes_its_own_topic_and_no_other(
    secured: SecuredBroker, service: topology.Service
) -> None:
    written = {topic for topic in TOPICS if await writes(secured.as_(service.name), topic)}
    assert written == {f"{service.name}.events"}


@pytest.mark.parametrize("service", topology.PROCESSES, ids=lambda service: service.name)
async def test_a_service_reads_the_topics_it_consumes_and_no_other(
    secured: SecuredBroker, service: topology.Service
) -> None:
    readable = {topic for topic in TOPICS if await reads(secured.as_(service.name), topic)}
    assert readable == {f"{name}.events" for name in service.consumes}


@pytest.mark.parametrize("service", topology.SERVICES, ids=lambda service: service.name)
async def test_a_service_is_a_member_of_its_own_group_and_of_no_other(
    secured: SecuredBroker, service: topology.Service
) -> None:
    topics = {f"{name}.events" for name in service.consumes}
    assert await joins(secured.as_(service.name), service.name, topics) == topics
    assert await joins(secured.as_(service.name), "shop", topics) == set()


async def test_a_service_may_not_create_a_topic(secured: SecuredBroker) -> None:
    with pytest.raises(KafkaUnavailable, match=r"of\.its\.own"):
        await ensure_topic(secured.as_("training"), "of.its.own")


async def test_clients_without_valid_credentials_are_refused(secured: SecuredBroker) -> None:
    training = secured.as_("training")
    strangers = [
        BrokerAccess(secured.bootstrap),
        replace(training, password="another"),
        replace(training, user="stranger"),
        replace(secured.administrator, bootstrap=secured.bootstrap),
    ]
    assert [await writes(stranger, "training.events") for stranger in strangers] == [False] * 4
    assert await writes(training, "training.events")


async def test_a_renewed_password_replaces_the_former_one(secured: SecuredBroker) -> None:
    gateway = secured.as_("gateway")
    renewed = replace(gateway, password="renewed")
    await kafka_admin.make_users(secured.administrator, {"gateway": "renewed"}, ())
    assert (await writes(gateway, "gateway.events"), await writes(renewed, "gateway.events")) == (
        False,
        True,
    )
    await kafka_admin.make_users(
        secured.administrator, {"gateway": secured.passwords["gateway"]}, ()
    )


async def test_an_event_takes_effect_through_an_authenticated_broker(
    secured: SecuredBroker, tmp_path: Path, mongo_url: str, database: str
) -> None:
    keys = Keys.make(tmp_path, ("gateway", "shop"))
    settings: dict[str, Any] = keys.settings(
        "shop", mongo_url=mongo_url, database=database, kafka=secured.bootstrap
    )
    settings |= {"kafka_password": secured.passwords["shop"], "namespace": ""}
    assert TOPIC == "shop.events"
    app = create_app(shop(ShopSettings(**settings)))
    life = app.state.life
    jar = Jar(id=new_id(), owner_ref=new_id(), room="north")
    async with app.router.lifespan_context(app):
        client = AsgiClient(app, keys, "shop")
        await life.prepared.wait()
        await runner(life.db)(lambda tx: added(tx, jar))
        filled = await client.as_("keeper", facility="*").post(
            f"/v1/jars/{jar.id}/fillings", json={"marbles": 2}
        )
        assert filled.status_code == 200
        await eventually(lambda: life.db.find_one("notes", {"_id": jar.owner_ref}), seconds=40)


def self_signed(directory: Path) -> tuple[Path, str]:
    """Return a CA file for the loopback address, and settings of an encrypted listener."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kafka")])
    made = x509.CertificateBuilder(
        name,
        name,
        key.public_key(),
        x509.random_serial_number(),
        utc_now() - timedelta(hours=1),
        utc_now() + timedelta(hours=1),
    )
    made = made.add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ip_address(platform_checks.LOOPBACK))]),
        critical=False,
    )
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    chain = made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    (directory / "ca.crt").write_text(chain)
    pem = {
        "certificate.chain": chain,
        "key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    }
    lines = [
        f"listener.name.services.ssl.keystore.{name}={text.strip()}".replace("\n", "\\n")
        for name, text in {"type": "PEM", **pem}.items()
    ]
    protocols = "SERVICES:SASL_SSL,ADMINISTRATION:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT"
    settings = [f"listener.security.protocol.map={protocols}", *lines, ""]
    return directory / "ca.crt", "\n".join(settings)


async def test_an_encrypted_client_trusts_only_a_broker_of_its_ca(
    tmp_path: Path,
) -> None:
    ca, encrypted = self_signed(tmp_path)
    (tmp_path / "another").mkdir()
    another, _ = self_signed(tmp_path / "another")
    server, administrator = await kafka_broker.start_authenticated(
        tmp_path / "kafka", "secret", tmp_path / "kafka.log", encrypted
    )
    try:
        await kafka_admin.make_users(administrator, {"shop": "secret"}, (SHOP,))
        shop = BrokerAccess(server.bootstrap, "shop", "secret", ca)
        assert await writes(shop, "shop.events")
        assert await joins(shop, "shop", {"shop.events"}) == {"shop.events"}
        assert not await writes(replace(shop, ca=another), "shop.events")
        assert not await writes(replace(shop, ca=None), "shop.events")
        assert not await writes(replace(shop, password="another"), "shop.events")
    finally:
        processes.end(server.process)
