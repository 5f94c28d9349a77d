"""The MongoDB seam: one client, either driver, typed operations, transactions, leases. The only importer of motor and pymongo. Not here: what a document means."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, Literal, TypeVar, cast

from bson import CodecOptions
from bson.codec_options import TypeRegistry
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ASCENDING, AsyncMongoClient, DeleteOne, InsertOne, ReplaceOne, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, CollectionInvalid, ConnectionFailure, DuplicateKeyError, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from chassis.errors import Busy

Driver = Literal["motor", "pymongo"]
Document = dict[str, Any]
Filter = Mapping[str, Any]
Sort = Sequence[tuple[str, int]]
Session = Any
R = TypeVar("R")

MongoError = PyMongoError
Unreachable = ConnectionFailure
_WRITE_CONFLICT, _DUPLICATE, _NAMESPACE_EXISTS = 112, 11000, 48


class TransactionConflict(Exception):
    """Another transaction got there first; the whole body may run again."""


class DuplicateKey(Exception):
    """A unique index refused a document; `collection` and `index` name it."""

    def __init__(self, collection: str, index: str) -> None:
        super().__init__(f"{collection}.{index}")
        self.collection, self.index = collection, index


def _encode(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (frozenset, set)):
        return sorted(cast("Iterable[Any]", value))
    if isinstance(value, Enum):
        return value.value
    message = f"no document form for {type(value).__name__}"
    raise TypeError(message)


CODEC: CodecOptions[Document] = CodecOptions(tz_aware=True, type_registry=TypeRegistry(fallback_encoder=_encode))


def replacing(document: Document) -> Any:
    """The bulk operation that replaces the document of this `_id`."""
    return ReplaceOne({"_id": document["_id"]}, document)


def upserting(document: Document) -> Any:
    """The bulk operation that replaces or makes the document of this `_id`."""
    return ReplaceOne({"_id": document["_id"]}, document, upsert=True)


def inserting(document: Document) -> Any:
    """The bulk operation that inserts this document."""
    return InsertOne(document)


def updating(id_: str, update: Document) -> Any:
    """The bulk operation that updates the document of this `_id`."""
    return UpdateOne({"_id": id_}, update)


def deleting(id_: str) -> Any:
    """The bulk operation that deletes the document of this `_id`."""
    return DeleteOne({"_id": id_})


@dataclass(frozen=True, slots=True)
class Index:
    """An index of a collection; fields ascending unless given as (field, -1)."""

    fields: tuple[str | tuple[str, int], ...]
    unique: bool = False
    where: Mapping[str, Any] | None = None
    expire_seconds: int | None = None

    def __init__(self, *fields: str | tuple[str, int], unique: bool = False, where: Mapping[str, Any] | None = None, expire_seconds: int | None = None) -> None:
        for name, value in (("fields", fields), ("unique", unique), ("where", where), ("expire_seconds", expire_seconds)):
            object.__setattr__(self, name, value)

    @property
    def keys(self) -> list[tuple[str, int]]:
        """The fields with their directions."""
        return [(field, ASCENDING) if isinstance(field, str) else field for field in self.fields]

    @property
    def name(self) -> str:
        """A name that says what it is."""
        return "_".join(f"{field}{'' if direction == 1 else '_desc'}" for field, direction in self.keys) + ("_unique" if self.unique else "")


class Mongo:
    """One database of one deployment, by either driver. Every operation takes the session of a transaction, or none."""

    def __init__(self, url: str, database: str, driver: Driver = "motor", *, app: str = "bina") -> None:
        options: dict[str, Any] = {"appname": app, "retryWrites": True, "serverSelectionTimeoutMS": 5_000, "connectTimeoutMS": 5_000, "maxPoolSize": 60}
        self.driver: Driver = driver
        self.client: Any = AsyncMongoClient(url, **options) if driver == "pymongo" else AsyncIOMotorClient(url, **options)
        self.name = database
        self.db: Any = self.client.get_database(database, codec_options=CODEC, write_concern=WriteConcern("majority"), read_concern=ReadConcern("majority"))

    async def close(self) -> None:
        """Close the client."""
        closed = self.client.close()
        if self.driver == "pymongo":
            await closed

    async def ping(self) -> None:
        """Return when a primary answers; MongoError otherwise."""
        await self.client.admin.command("hello")
        await self.db.command("ping")

    async def find(
        self, collection: str, where: Filter, *, sort: Sort = (), limit: int = 0, fields: Mapping[str, Any] | None = None, session: Session = None, hint: str | None = None
    ) -> list[Document]:
        """All documents that match, at most `limit` (0 = all)."""
        cursor = self.db[collection].find(where, fields, session=session, limit=limit)
        if sort:
            cursor = cursor.sort(list(sort))
        if hint:
            cursor = cursor.hint(hint)
        return await cursor.to_list(None)

    async def find_one(self, collection: str, where: Filter, *, session: Session = None) -> Document | None:
        """The first document that matches."""
        return await self.db[collection].find_one(where, session=session)

    async def count(self, collection: str, where: Filter, *, session: Session = None) -> int:
        """How many documents match."""
        return await self.db[collection].count_documents(where, session=session)

    async def aggregate(self, collection: str, pipeline: Sequence[Document], *, session: Session = None) -> list[Document]:
        """The result of an aggregation."""
        cursor = self.db[collection].aggregate(list(pipeline), session=session)
        if self.driver == "pymongo":
            cursor = await cursor
        return await cursor.to_list(None)

    async def insert(self, collection: str, documents: Sequence[Document], *, session: Session = None) -> None:
        """Insert all documents, unordered; DuplicateKey when a unique index refuses one."""
        with _told(collection):
            await self.db[collection].insert_many(documents, ordered=False, session=session)

    async def bulk(self, collection: str, operations: Sequence[Any], *, session: Session = None) -> None:
        """Run bulk operations, unordered; DuplicateKey when a unique index refuses one."""
        with _told(collection):
            await self.db[collection].bulk_write(operations, ordered=False, session=session)

    async def update(self, collection: str, where: Filter, update: Any, *, upsert: bool = False, many: bool = False, session: Session = None) -> int:
        """Update one (or many) documents; how many matched."""
        with _told(collection):
            target = self.db[collection].update_many if many else self.db[collection].update_one
            return (await target(where, update, upsert=upsert, session=session)).matched_count

    async def find_and_update(self, collection: str, where: Filter, update: Any, *, upsert: bool = False, session: Session = None) -> Document | None:
        """Update one document and return it as it is afterwards."""
        with _told(collection):
            return await self.db[collection].find_one_and_update(where, update, upsert=upsert, return_document=ReturnDocument.AFTER, session=session)

    async def delete(self, collection: str, where: Filter, *, session: Session = None) -> int:
        """Delete all that match; how many."""
        return (await self.db[collection].delete_many(where, session=session)).deleted_count

    async def inserts(self, collection: str, *, idle_seconds: float = 5.0, resume_after: Any = None) -> AsyncIterator[Any]:
        """A resume token for each insert into the collection (and None after each idle wait), from a change stream."""
        stream = self.db[collection].watch(
            [{"$match": {"operationType": "insert"}}, {"$project": {"_id": 1}}], max_await_time_ms=int(idle_seconds * 1000), resume_after=resume_after
        )
        if self.driver == "pymongo":
            stream = await stream
        async with stream:
            while True:
                change = await stream.try_next()
                yield None if change is None else stream.resume_token

    async def collections(self) -> dict[str, Document | None]:
        """The collections that exist, with their `$jsonSchema`."""
        answer = await self.db.command("listCollections", cursor={"batchSize": 10_000})
        return {one["name"]: one.get("options", {}).get("validator", {}).get("$jsonSchema") for one in answer["cursor"]["firstBatch"]}

    async def ensure_collection(self, name: str, validator: Document | None, indexes: Iterable[Index], known: Mapping[str, Document | None]) -> None:
        """Make the collection, its validator and its indexes be as told."""
        # what is so already is left alone: collMod would wait for a transaction that a killed process left open
        options = {"validator": {"$jsonSchema": validator}, "validationLevel": "strict"} if validator else {}
        if name not in known:
            try:
                await self.db.create_collection(name, **options)
            except (CollectionInvalid, OperationFailure) as error:
                if isinstance(error, OperationFailure) and error.code != _NAMESPACE_EXISTS:
                    raise
        elif validator and known[name] != validator:
            await self.db.command("collMod", name, **options)
        listed = self.db[name].list_indexes()
        there = {one["name"] for one in await (listed if self.driver == "motor" else await listed).to_list(None)}
        for index in indexes:
            if index.name not in there:
                more: Document = {"partialFilterExpression": dict(index.where)} if index.where else {}
                more |= {"expireAfterSeconds": index.expire_seconds} if index.expire_seconds is not None else {}
                await self.db[name].create_index(index.keys, name=index.name, unique=index.unique, **more)

    async def rename(self, collection: str, to: str) -> None:
        """Let the collection take the place of another at once."""
        await self.db[collection].rename(to, dropTarget=True)

    async def drop(self) -> None:
        """Drop the database."""
        await self.client.drop_database(self.name)

    async def transact(self, body: Callable[[Session], Awaitable[R]]) -> R:
        """Run `body(session)` in one transaction (snapshot, majority) and commit. TransactionConflict when MongoDB asks for the whole body again.

        An unknown commit result is committed again until it is known: commits are idempotent.
        """
        started = self.client.start_session()
        session = started if self.driver == "pymongo" else await started
        async with session:
            begun = session.start_transaction(read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority"))
            if self.driver == "pymongo":
                await begun
            try:
                result = await body(session)
            except BaseException as error:
                if session.in_transaction:
                    await _abort(session)
                if isinstance(error, PyMongoError) and _transient(error):
                    raise TransactionConflict from error
                raise
            await _commit(session)
            return result


async def _abort(session: Session) -> None:
    try:
        await session.abort_transaction()
    except PyMongoError:
        return  # the server ends it by itself; the first error is the one to tell


async def _commit(session: Session) -> None:
    while True:
        try:
            await session.commit_transaction()
        except PyMongoError as error:
            if error.has_error_label("UnknownTransactionCommitResult"):
                await asyncio.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - jitter
                continue
            if _transient(error):
                raise TransactionConflict from error
            raise
        else:
            return


def _transient(error: PyMongoError) -> bool:
    if error.has_error_label("TransientTransactionError"):
        return True
    if isinstance(error, BulkWriteError):
        return any(problem.get("code") == _WRITE_CONFLICT for problem in (error.details or {}).get("writeErrors", []))
    return isinstance(error, OperationFailure) and error.code == _WRITE_CONFLICT


class _told:  # noqa: N801 - reads as a clause
    """Turns the drivers' duplicate-key errors into DuplicateKey."""

    def __init__(self, collection: str) -> None:
        self.collection = collection

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DuplicateKeyError):
            raise DuplicateKey(self.collection, _index_of(str((error.details or {}).get("errmsg", error)))) from error
        if isinstance(error, BulkWriteError):
            for problem in (error.details or {}).get("writeErrors", []):
                if problem.get("code") == _DUPLICATE:
                    raise DuplicateKey(self.collection, _index_of(str(problem.get("errmsg")))) from error


def _index_of(message: str) -> str:
    return message.partition(" index: ")[2].partition(" ")[0] or "_id_"


class KeyedLocks:
    """Fair in-process locks by key: a contended document is written by one at a time, first come first served."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def hold(self, keys: Iterable[str], deadline: float) -> AsyncGenerator[None]:
        """Hold the locks of all keys, taken in one order; Busy when the deadline (loop time) comes first."""
        taken: list[str] = []
        try:
            for key in sorted(set(keys)):
                lock, waiting = self._locks.get(key, (asyncio.Lock(), 0))
                self._locks[key] = (lock, waiting + 1)
                try:
                    async with asyncio.timeout_at(deadline):
                        await lock.acquire()
                except BaseException as error:
                    self._leave(key)
                    if isinstance(error, TimeoutError):
                        raise Busy from None
                    raise
                taken.append(key)
            yield
        finally:
            for key in reversed(taken):
                self._locks[key][0].release()
                self._leave(key)

    def _leave(self, key: str) -> None:
        lock, waiting = self._locks[key]
        if waiting == 1:
            del self._locks[key]
        else:
            self._locks[key] = (lock, waiting - 1)


class Lease:
    """One holder at a time, by the server's clock; `token` grows with each change of holder (fencing)."""

    def __init__(self, mongo: Mongo, name: str, holder: str, seconds: float) -> None:
        self.mongo, self.name, self.holder, self.seconds = mongo, name, holder, seconds
        self.token = 0
        self._until = 0.0

    @property
    def held(self) -> bool:
        """Whether we still hold it, by our own monotonic clock, a quarter of the time early."""
        return asyncio.get_running_loop().time() < self._until

    async def take(self) -> bool:
        """Take or renew it; True when we hold it now."""
        asked = asyncio.get_running_loop().time()
        free = {"$or": [{"$eq": ["$holder", self.holder]}, {"$lte": [{"$ifNull": ["$until", 0]}, "$$NOW"]}]}
        update = [
            {
                "$set": {
                    "token": {"$cond": [{"$and": [free, {"$ne": ["$holder", self.holder]}]}, {"$add": [{"$ifNull": ["$token", 0]}, 1]}, {"$ifNull": ["$token", 0]}]},
                    "until": {"$cond": [free, {"$add": ["$$NOW", int(self.seconds * 1000)]}, "$until"]},
                    "holder": {"$cond": [free, self.holder, "$holder"]},
                }
            }
        ]
        try:
            row = await self.mongo.find_and_update("leases", {"_id": self.name}, update, upsert=True)
        except DuplicateKey:
            return False
        if row is None or row["holder"] != self.holder:
            self._until = 0.0
            return False
        self.token = row["token"]
        self._until = asked + self.seconds * 0.75
        return True

    async def release(self) -> None:
        """Give it back so that another may take it at once."""
        self._until = 0.0
        await self.mongo.update("leases", {"_id": self.name, "holder": self.holder}, [{"$set": {"until": "$$NOW", "holder": ""}}])
