"""Access to MongoDB by either driver (Motor or PyMongo): operations and transactions.

Only this module imports both drivers. It uses their public methods; driver_calls adapts those that
differ.
Not here: what a document means, and the form of a statement (statements).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeVar

from gridfs import AsyncGridFSBucket
from gridfs.errors import GridFSError
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorGridFSBucket
from pymongo import AsyncMongoClient, ReturnDocument
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from chassis.faults import Fault
from chassis.persistence.drivers.driver_calls import awaited, read_all, uncancelled
from chassis.persistence.drivers.mongo_codec import CODEC, RAW, encoded_bytes
from chassis.persistence.drivers.mongo_collections import Collections, IndexDiffers
from chassis.persistence.drivers.mongo_errors import (
    DocumentRefused,
    DuplicateKey,
    MongoError,
    TransactionConflict,
    TransactionTooLarge,
    ValueRefused,
    fault_of,
    is_away,
    named_refusals,
    raise_conflict,
    raise_refusal,
    raise_unconfirmed,
)
from chassis.persistence.statements import (
    Document,
    Filter,
    Index,
    Query,
    Sort,
    Write,
    deleting,
    replacing,
    updating,
    write_commands,
)

__all__ = [
    "CODEC",
    "RAW",
    "Document",
    "DocumentRefused",
    "Driver",
    "DuplicateKey",
    "Filter",
    "GridFSError",
    "Index",
    "IndexDiffers",
    "Mongo",
    "MongoError",
    "Query",
    "Session",
    "Sort",
    "TransactionConflict",
    "TransactionTooLarge",
    "ValueRefused",
    "Write",
    "deleting",
    "is_away",
    "replacing",
    "updating",
]

Driver = Literal["motor", "pymongo"]
Session = Any
R = TypeVar("R")

_PAGE = 10_000
_CHANGES_WAIT_MS = 5_000


class Mongo(Collections):
    """One database; an operation with a session runs in the transaction of that session."""

    def __init__(
        self, url: str, database: str, driver: Driver = "motor", *, app: str = "bina"
    ) -> None:
        options: dict[str, Any] = {
            "appname": app,
            "retryWrites": True,
            "serverSelectionTimeoutMS": 5_000,
            "connectTimeoutMS": 5_000,
            "maxPoolSize": 60,
        }
        new_client: Callable[..., Any] = (
            AsyncMongoClient if driver == "pymongo" else AsyncIOMotorClient
        )
        self.driver: Driver = driver
        self.client: Any = new_client(url, **options)
        self.name = database
        self.db: Any = self.client.get_database(
            database,
            codec_options=CODEC,
            write_concern=WriteConcern("majority"),
            read_concern=ReadConcern("majority"),
        )

    async def close(self) -> None:
        """Close the client."""
        await awaited(self.client.close())

    async def ping(self) -> None:
        """Return when a primary answers. Raises MongoError."""
        await self.client.admin.command("hello")
        await self.db.command("ping")

    # Reading

    async def find(
        self,
        collection: str,
        where: Filter,
        *,
        sort: Sort = (),
        limit: int = 0,
        fields: Mapping[str, Any] | None = None,
        session: Session = None,
        hint: str | None = None,
    ) -> list[Document]:
        """Return the documents that match, at most `limit` (0 = all); `hint` names an index."""
        if session is not None:
            options = {"projection": fields, "sort": dict(sort), "limit": limit, "hint": hint}
            given = {name: value for name, value in options.items() if value}
            return await self._find_by_command(collection, {"filter": where, **given}, session)
        cursor = self.db[collection].find(
            where, fields, sort=list(sort) or None, limit=limit, batch_size=_PAGE, hint=hint
        )
        return await cursor.to_list(None)

    async def _find_by_command(
        self, collection: str, options: Document, session: Session
    ) -> list[Document]:
        """Return the documents that a `find` command finds.

        The driver's cursor takes 50 % more processor time than the command. Its only advantage is
        that it retries reads, which it does not do in a transaction.
        """
        command: Document = {"find": collection, "batchSize": _PAGE, **options}
        documents: list[Document] = []
        while command:
            cursor = (await self._command(collection, command, session))["cursor"]
            documents += cursor.get("firstBatch") or cursor.get("nextBatch") or []
            command = {}
            if cursor["id"]:
                command = {"getMore": cursor["id"], "collection": collection, "batchSize": _PAGE}
        return documents

    async def find_in_each(
        self, queries: Mapping[str, Query], *, session: Session = None
    ) -> dict[str, list[Document]]:
        """Run one query per collection in a single statement; return the documents of each.

        The result is at most 16 MiB. The statement costs a third of five separate ones.
        """
        pipeline: list[Document] = [{"$documents": [{}]}]
        pipeline += [query.joined_from(collection) for collection, query in queries.items()]
        reading = read_all(self.db.aggregate(pipeline, session=session))
        [results] = await self._run("", reading, session)
        return results

    async def find_one(
        self, collection: str, where: Filter, *, session: Session = None
    ) -> Document | None:
        """Return the first document that matches."""
        documents = await self.find(collection, where, limit=1, session=session)
        return documents[0] if documents else None

    async def count(
        self, collection: str, where: Filter, most: int = 0, *, session: Session = None
    ) -> int:
        """Return how many documents match; `most` is where counting ends, if it is not 0."""
        limit = {"limit": most} if most else {}
        counting = self.db[collection].count_documents(where, session=session, **limit)
        return await self._run(collection, counting, session)

    async def aggregate(
        self, collection: str, pipeline: Sequence[Document], *, session: Session = None
    ) -> list[Document]:
        """Return the result of an aggregation."""
        reading = read_all(self.db[collection].aggregate(list(pipeline), session=session))
        return await self._run(collection, reading, session)

    async def inserts(self, collection: str, field: str) -> AsyncIterator[list[Any]]:
        """Yield `field` of every inserted document, in batches, from a change stream.

        The first batch is empty and comes when the stream is open: read earlier inserts then.
        Raises MongoError when the stream is lost.
        """
        # Commands, because the drivers yield one change at a time (Motor with a thread hop each)
        # and one batch of the consumer inserts hundreds.
        pipeline: list[Document] = [
            {"$changeStream": {}},
            {"$match": {"operationType": "insert"}},
            {"$project": {f"fullDocument.{field}": 1}},
        ]
        opening: Document = {
            "aggregate": collection,
            "pipeline": pipeline,
            "cursor": {},
            "readConcern": {"level": "majority"},
        }
        async with await awaited(self.client.start_session()) as session:
            cursor = (await self.db.command(opening, session=session))["cursor"]
            try:
                yield []
                while cursor["id"]:
                    following: Document = {
                        "getMore": cursor["id"],
                        "collection": collection,
                        "maxTimeMS": _CHANGES_WAIT_MS,
                    }
                    cursor = (await self.db.command(following, session=session))["cursor"]
                    changes = cursor["nextBatch"]
                    if changes:
                        yield [change["fullDocument"][field] for change in changes]
            finally:
                closing: Document = {"killCursors": collection, "cursors": [cursor["id"]]}
                with suppress(MongoError):  # the server closes it by itself later
                    await self.db.command(closing, session=session)

    # Writing

    async def insert(
        self, collection: str, documents: Sequence[Document], *, session: Session = None
    ) -> None:
        """Insert all documents, unordered. Raises DuplicateKey, DocumentRefused."""
        await self.bulk(collection, documents, session=session)

    async def bulk(
        self, collection: str, writes: Iterable[Write | Document], *, session: Session = None
    ) -> None:
        """Run these writes, unordered; a document alone is an insert.

        Raises DuplicateKey, DocumentRefused.
        """
        await self.write({collection: writes}, session=session)

    async def write(
        self, by_collection: Mapping[str, Iterable[Write | Document]], *, session: Session = None
    ) -> None:
        """Run these writes of several collections, unordered within one collection.

        Raises DuplicateKey, DocumentRefused.
        """
        for collection, writes in by_collection.items():
            with named_refusals(collection):
                commands = write_commands(
                    collection, writes, encoded_bytes, in_transaction=session is not None
                )
            for command in commands:
                # the drivers' own `bulk_write` takes twice the processor time of a command
                answer = await self._command(collection, command, session)
                raise_refusal(collection, answer.get("writeErrors", []))
                raise_unconfirmed(answer)

    async def update(
        self,
        collection: str,
        where: Filter,
        update: Any,
        *,
        upsert: bool = False,
        many: bool = False,
        session: Session = None,
    ) -> int:
        """Update one (or many) documents; return how many matched."""
        target = self.db[collection].update_many if many else self.db[collection].update_one
        running = target(where, update, upsert=upsert, session=session)
        return (await self._run(collection, running, session)).matched_count

    async def find_and_update(
        self,
        collection: str,
        where: Filter,
        update: Any,
        *,
        upsert: bool = False,
        session: Session = None,
    ) -> Document | None:
        """Update one document and return its new version."""
        running = self.db[collection].find_one_and_update(
            where, update, upsert=upsert, return_document=ReturnDocument.AFTER, session=session
        )
        return await self._run(collection, running, session)

    async def delete(self, collection: str, where: Filter, *, session: Session = None) -> int:
        """Delete all documents that match; return how many."""
        removing = self.db[collection].delete_many(where, session=session)
        return (await self._run(collection, removing, session)).deleted_count

    def bucket(self, name: str, chunk_bytes: int) -> Any:
        """Return the driver's GridFS bucket of this name. GridFS takes part in no transaction."""
        new_bucket: Callable[..., Any] = (
            AsyncGridFSBucket if self.driver == "pymongo" else AsyncIOMotorGridFSBucket
        )
        return new_bucket(self.db, bucket_name=name, chunk_size_bytes=chunk_bytes)

    # Transactions

    async def transact(self, body: Callable[[Session], Awaitable[R]]) -> R:
        """Run `body(session)` in one transaction (snapshot, majority) and commit it.

        A commit whose result is unknown is sent again until it is known: commits are idempotent.
        Raises TransactionConflict when the whole body must run again, TransactionTooLarge, and a
        MongoError that `is_away` when MongoDB is away and nothing was committed.
        """
        session = await awaited(self.client.start_session())
        try:
            await awaited(
                session.start_transaction(
                    read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority")
                )
            )
            result = await body(session)
            await self._commit(session)
        except BaseException as error:
            raise_conflict(error)
            raise
        else:
            return result
        finally:
            # It aborts a transaction that was not committed. Motor's context manager would do so on
            # the thread of the event loop, which would then wait for mongod.
            await uncancelled(session.end_session())

    async def _commit(self, session: Session) -> None:
        while True:
            try:
                await self._run("", session.commit_transaction(), session)
            except MongoError as error:
                if fault_of(error) is not Fault.UNKNOWN_COMMIT:
                    raise
                await asyncio.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - jitter
            else:
                return

    async def _command(self, collection: str, command: Document, session: Session) -> Document:
        running = self.db.command(command, codec_options=CODEC, session=session)
        return await self._run(collection, running, session)

    async def _run(self, collection: str, operation: Awaitable[R], session: Session) -> R:
        """Await an operation of the driver; an error about a document names the collection."""
        with named_refusals(collection):
            if self.driver == "motor" and session is not None:
                return await uncancelled(operation)
            return await operation
