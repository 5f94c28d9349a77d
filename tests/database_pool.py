"""Databases that the tests of one service use in turn.

Creating all collections and indexes is more work for MongoDB than most tests. Not here: the
services.
"""

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
    """Databases at one server for one unit of work; each is empty when it is taken."""

    def __init__(self, url: str, transaction: type[Transaction]) -> None:
        self._url = url
        self._idle: list[str] = []
        self._validators: dict[str, Document | None] = dict.fromkeys(database_setup.OWN)
        for store in transaction.stores():
            self._validators[store.collection] = database_setup.validator(store)

    @contextmanager
    def one(self) -> Generator[str]:
        """Give the name of a database that no other test uses.

        Afterwards collections with the validator of the code are emptied, others dropped.
        """
        name = self._idle.pop() if self._idle else f"test_{uuid.uuid4().hex[:20]}"
        yield name
        with self._client() as client:
            for listed in client[name].list_collections():
                collection = client[name][listed["name"]]
                validator = listed["options"].get("validator", {}).get("$jsonSchema")
                is_known = listed["name"] in self._validators
                if is_known and validator == self._validators[listed["name"]]:
                    collection.delete_many({})
                else:
                    collection.drop()
        self._idle.append(name)

    def drop(self) -> None:
        """Drop all databases."""
        with self._client() as client:
            for name in self._idle:
                client.drop_database(name)

    def _client(self) -> pymongo.MongoClient[dict[str, Any]]:
        return pymongo.MongoClient(self._url)


def databases_of(transaction: type[Transaction]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the fixtures `databases` (of the session) and `database` (an empty one's name).

    Topics at a real broker are not emptied; they need a namespace of their own.
    """

    @pytest.fixture(scope="session")
    def databases(mongo_url: str) -> Generator[DatabasePool]:
        pool = DatabasePool(mongo_url, transaction)
        yield pool
        pool.drop()

    @pytest.fixture
    def database(databases: DatabasePool) -> Generator[str]:
        with databases.one() as name:
            yield name

    return databases, database
