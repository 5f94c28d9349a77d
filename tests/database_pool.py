"""Databases that tests of one service take in turn: to make all its collections and indexes is more work for MongoDB than most tests are. Not here: whose they are."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pymongo
import pytest

from chassis.app import database_setup
from chassis.persistence.mongo import Document
from chassis.persistence.unit_of_work import Transaction


class DatabasePool:
    """Databases at one server for one kind of transaction; each is empty when it is taken."""

    def __init__(self, url: str, transaction: type[Transaction]) -> None:
        self._url, self._idle = url, list[str]()
        self._told: dict[str, Document | None] = dict.fromkeys(database_setup.OWN) | {
            store.collection: database_setup.validator(store) for store in transaction.stores()
        }

    @contextmanager
    def one(self) -> Generator[str]:
        """The name of one that nobody else uses. Afterwards collections that are as the code says are emptied, others dropped."""
        name = self._idle.pop() if self._idle else f"test_{uuid.uuid4().hex[:20]}"
        yield name
        with self._client() as client:
            for found in client[name].list_collections():
                collection = client[name][found["name"]]
                if (
                    found["name"] in self._told
                    and found["options"].get("validator", {}).get("$jsonSchema")
                    == self._told[found["name"]]
                ):
                    collection.delete_many({})
                else:
                    collection.drop()
        self._idle.append(name)

    def drop(self) -> None:
        """Leave none behind."""
        with self._client() as client:
            for name in self._idle:
                client.drop_database(name)

    def _client(self) -> pymongo.MongoClient[dict[str, Any]]:
        return pymongo.MongoClient(self._url)


def databases_of(transaction: type[Transaction]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The fixtures `databases` (of the session) and `database` (the name of an empty one) of those who test with this kind.

    Topics at the real broker are not emptied, and need a namespace of their own.
    """

    @pytest.fixture(scope="session")
    def databases(mongo_url: str) -> Generator[DatabasePool]:
        in_turn = DatabasePool(mongo_url, transaction)
        yield in_turn
        in_turn.drop()

    @pytest.fixture
    def database(databases: DatabasePool) -> Generator[str]:
        with databases.one() as name:
            yield name

    return databases, database
