"""The embedded servers have the properties that tests and `up` rely on."""

import socket
from pathlib import Path
from typing import Any

import pymongo
import pytest
from aiokafka import AIOKafkaConsumer
from pymongo.errors import OperationFailure
from pymongo.uri_parser import parse_uri

from chassis.messaging.kafka import KafkaProducer
from chassis.messaging.kafka_topics import ensure_topic
from ops.errors import OperatorError
from ops.local import kafka_broker, mongod, platform_checks, processes
from tests.fakes import send


def test_mongod_refuses_who_has_no_password(mongo_url: str, database: str) -> None:
    host, port = parse_uri(mongo_url)["nodelist"][0]
    with (
        pymongo.MongoClient[dict[str, object]](host, port, directConnection=True) as nobody,
        pytest.raises(OperationFailure, match="requires authentication"),
    ):
        nobody[database]["things"].find_one()


def test_mongod_commits_transactions(mongo_url: str, database: str) -> None:
    with (
        pymongo.MongoClient[dict[str, object]](mongo_url) as client,
        client.start_session() as session,
    ):
        things = client[database].create_collection("things")
        with session.start_transaction():
            things.insert_one({"_id": 1}, session=session)
        assert things.count_documents({}) == 1


async def test_a_killed_mongod_keeps_its_data_on_another_port(
    tmp_path: Path,
) -> None:
    first = await mongod.start(
        tmp_path, platform_checks.find_free_ports(1)[0], "secret", tmp_path / "log"
    )
    with pymongo.MongoClient[dict[str, object]](first.url) as client:
        client["kept"]["things"].insert_one({"_id": 1})
    processes.end(first.process, grace=0)
    second = await mongod.start(
        tmp_path, platform_checks.find_free_ports(1)[0], "secret", tmp_path / "log"
    )
    try:
        with pymongo.MongoClient[dict[str, object]](second.url) as client:
            assert client["kept"]["things"].count_documents({}) == 1
    finally:
        processes.end(second.process)


async def test_a_port_that_is_taken_is_named_with_who_holds_it(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind((platform_checks.LOOPBACK, 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(
            OperatorError,
            match=rf"Porta {port} .* sedang dipakai python.* \(pid \d+\): .*BINA_MONGO_PORT",
        ):
            await mongod.start(tmp_path, port, "secret", tmp_path / "log")


async def test_a_killed_kafka_keeps_its_records_on_other_ports(
    tmp_path: Path,
) -> None:
    async def offset_of_one_more(bootstrap: str) -> int:
        producer = KafkaProducer(bootstrap, "test")
        await producer.start()
        try:
            await send(producer, "things", "key", b"value")
        finally:
            await producer.stop()
        consumer: Any = AIOKafkaConsumer(
            "things", bootstrap_servers=bootstrap, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            (last,) = (await consumer.end_offsets(consumer.assignment())).values()
            return last - 1
        finally:
            await consumer.stop()

    ports = platform_checks.find_free_ports(4)
    first = await kafka_broker.start(tmp_path, ports[0], ports[1], tmp_path / "log")
    try:
        await ensure_topic(first.bootstrap, "things", partitions=1)
        assert await offset_of_one_more(first.bootstrap) == 0
    finally:
        processes.end(first.process, grace=0)
    second = await kafka_broker.start(tmp_path, ports[2], ports[3], tmp_path / "log")
    try:
        assert await offset_of_one_more(second.bootstrap) == 1
    finally:
        processes.end(second.process)
