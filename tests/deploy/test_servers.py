"""The embedded servers are what the tests and `up` promise."""

import pymongo
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pymongo.errors import OperationFailure
from pymongo.uri_parser import parse_uri


def test_mongod_refuses_who_has_no_password(mongo_url: str, database: str) -> None:
    host, port = parse_uri(mongo_url)["nodelist"][0]
    with pymongo.MongoClient[dict[str, object]](host, port, directConnection=True) as nobody, pytest.raises(OperationFailure, match="requires authentication"):
        nobody[database].things.find_one()


def test_mongod_commits_transactions(mongo_url: str, database: str) -> None:
    with pymongo.MongoClient[dict[str, object]](mongo_url) as client, client.start_session() as session:
        client[database].create_collection("things")
        with session.start_transaction():
            client[database].things.insert_one({"_id": 1}, session=session)
        assert client[database].things.count_documents({}) == 1


async def test_kafka_takes_and_keeps_a_record(kafka: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic("servers-test", 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all")
    await producer.start()
    written = await producer.send_and_wait("servers-test", b"hello")
    await producer.stop()
    assert written.offset == 0
