"""The table of faults: each code of MongoDB as the driver raises it, each error of Kafka."""

from __future__ import annotations

from typing import Any

import aiokafka.errors
import pytest
from pymongo.errors import WriteError

from chassis import faults as table
from chassis.faults import Fault
from chassis.persistence import mongo
from chassis.persistence.drivers.mongo_errors import fault_of, raise_refusal
from chassis.persistence.mongo import Mongo, MongoError
from tests.chassis.faults.conftest import Faults

CODES = {
    112: Fault.CONFLICT,
    246: Fault.CONFLICT,
    251: Fault.CONFLICT,
    6: Fault.AWAY,
    13: Fault.AWAY,
    50: Fault.AWAY,
    64: Fault.AWAY,
    89: Fault.AWAY,
    91: Fault.AWAY,
    189: Fault.AWAY,
    262: Fault.AWAY,
    10107: Fault.AWAY,
    11600: Fault.AWAY,
    11601: Fault.AWAY,
    11602: Fault.AWAY,
    13436: Fault.AWAY,
    388: Fault.TOO_LARGE,
    10334: Fault.CONTENT,
    2: Fault.OURS,
    14: Fault.OURS,
    292: Fault.OURS,
}


@pytest.mark.parametrize(("code", "fault"), CODES.items())
async def test_an_error_of_the_server_has_the_fault_of_its_code(
    db: Mongo, faults: Faults, code: int, fault: Fault
) -> None:
    """The driver itself repeats reads and writes once after some of them."""
    with (
        faults.failing("aggregate", errorCode=code, errorLabels=[]),
        pytest.raises(MongoError) as raised,
    ):
        await db.count("notes", {"x": 1})
    assert fault_of(raised.value) is fault


async def test_a_document_that_a_validator_refuses_has_the_fault_of_its_content(db: Mongo) -> None:
    """A real refusal: mongod makes code 121 by a fail point only with the details of one."""
    await db.db.create_collection("strict", validator={"n": {"$type": "int"}})
    with pytest.raises(mongo.DocumentRefused) as raised:
        await db.update("strict", {"_id": "a"}, {"$set": {"n": "none"}}, upsert=True)
    refusal = raised.value.__context__
    assert isinstance(refusal, WriteError)
    assert (refusal.code, fault_of(refusal)) == (121, Fault.CONTENT)


@pytest.mark.parametrize("kind", ["connection", "selection"])
async def test_a_server_that_is_not_reached_is_away(db: Mongo, faults: Faults, kind: str) -> None:
    if kind == "connection":
        with (
            faults.failing("aggregate", closeConnection=True),
            pytest.raises(MongoError) as raised,
        ):
            await db.count("notes", {})
    else:
        nowhere = Mongo("mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=10", "x")
        with pytest.raises(MongoError) as raised:
            await nowhere.count("notes", {})
        await nowhere.close()
    assert mongo.is_away(raised.value)


async def test_a_client_that_is_closed_is_away(mongo_url: str) -> None:
    closed = Mongo(mongo_url, "x", "pymongo")
    await closed.close()
    with pytest.raises(MongoError) as raised:
        await closed.count("notes", {})
    assert mongo.is_away(raised.value)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (11600, MongoError),
        (112, mongo.TransactionConflict),
        (388, mongo.TransactionTooLarge),
        (11000, mongo.DuplicateKey),
        (121, mongo.DocumentRefused),
        (2, mongo.DocumentRefused),
    ],
)
def test_a_write_error_is_raised_by_the_fault_of_its_code(code: int, kind: Any) -> None:
    with pytest.raises(kind) as raised:
        raise_refusal("notes", [{"code": code, "errmsg": ""}])
    if kind is MongoError:
        assert mongo.is_away(raised.value)


def test_a_server_that_goes_during_a_bulk_refuses_no_documents() -> None:
    with pytest.raises(MongoError):
        raise_refusal("notes", [{"code": 11000, "errmsg": ""}, {"code": 11602, "errmsg": ""}])


async def test_a_write_that_the_majority_did_not_confirm_is_seen(db: Mongo, faults: Faults) -> None:
    unconfirmed = {"code": 64, "errmsg": "waiting for replication timed out"}
    with (
        faults.failing("insert", times=1, writeConcernError=unconfirmed),
        pytest.raises(MongoError) as raised,
    ):
        await db.insert("boxes", [{"_id": "a"}])
    assert mongo.is_away(raised.value)


@pytest.mark.parametrize("value", [2**63, "\ud800", "x" * 17_000_000])
async def test_a_value_that_no_document_can_hold_is_refused(db: Mongo, value: Any) -> None:
    with pytest.raises(mongo.ValueRefused):
        await db.insert("boxes", [{"_id": "a", "value": value}])
    with pytest.raises(mongo.ValueRefused):
        await db.transact(lambda session: db.find("boxes", {"value": value}, session=session))


def test_every_refusal_of_kafka_is_an_error_of_the_client() -> None:
    assert all(hasattr(aiokafka.errors, name) for name in table.KAFKA_REFUSALS)
    assert table.of_kafka_error("MessageSizeTooLargeError") is Fault.CONTENT
    assert table.of_kafka_error("KafkaTimeoutError") is Fault.AWAY
