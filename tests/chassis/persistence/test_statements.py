"""Commands of writes: split below the server's limits."""

from __future__ import annotations

import pytest

from chassis.persistence import statements
from chassis.persistence.drivers.mongo_codec import encoded_bytes
from chassis.persistence.mongo import Mongo, Session, deleting, updating
from chassis.persistence.statements import Document, write_commands

MIB = 1024 * 1024


def sizes(documents: list[Document]) -> list[int]:
    commands = write_commands("boxes", documents, encoded_bytes, in_transaction=True)
    return [len(command["documents"]) for command in commands]


def test_writes_are_split_by_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "MAX_COMMAND_WRITES", 3)
    assert sizes([{"_id": number} for number in range(7)]) == [3, 2, 2]
    assert sizes([{"_id": number} for number in range(3)]) == [3]
    assert sizes([]) == []


def test_writes_are_split_by_their_bytes() -> None:
    assert sizes([{"_id": number, "x": "x" * (4 * MIB)} for number in range(7)]) == [3, 2, 2]


def test_each_kind_of_write_is_split() -> None:
    large = "x" * (9 * MIB)
    writes = [updating(name, {"$set": {"x": large}}) for name in "abc"]
    commands = write_commands("b", [*writes, deleting("d")], encoded_bytes, in_transaction=False)
    assert [("updates" in one, one["writeConcern"]["w"]) for one in commands] == [
        (True, "majority"),
        (True, "majority"),
        (True, "majority"),
        (False, "majority"),
    ]


def test_the_limits_are_below_those_of_the_server() -> None:
    assert statements.MAX_COMMAND_WRITES == 100_000
    assert statements.MAX_COMMAND_BYTES < 16 * MIB


async def test_a_transaction_writes_more_than_one_command_can_hold(db: Mongo) -> None:
    """The conditions are large and not the documents.

    The cache of 256 MiB that mongod has in tests refuses transactions with 17 MiB of new documents
    when other tests write beside them.
    """
    await db.insert("boxes", [{"_id": name} for name in "abc"])
    large = "x" * (9 * MIB)
    found = {"$set": {"is_found": True}}
    writes = [updating({"$in": [name, large]}, found, many=True) for name in "abc"]

    async def body(session: Session) -> None:
        await db.bulk("boxes", writes, session=session)

    await db.transact(body)
    assert await db.count("boxes", {"is_found": True}) == 3
