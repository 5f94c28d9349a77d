"""The MongoDB seam: one client, either driver, typed operations, transactions. The only importer of motor and pymongo. Not here: what a document means."""

from __future__ import annotations

import asyncio
import random
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from inspect import isawaitable
from typing import Any, Literal, NamedTuple, TypeVar, cast

from bson import CodecOptions
from bson.codec_options import TypeRegistry
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession
from pymongo import ASCENDING, AsyncMongoClient, ReturnDocument
from pymongo.errors import (
    CollectionInvalid,
    ConnectionFailure,
    OperationFailure,
    PyMongoError,
    WriteError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

Driver = Literal["motor", "pymongo"]
Document = dict[str, Any]
Filter = Mapping[str, Any]
Sort = Sequence[tuple[str, int]]
Session = Any
R = TypeVar("R")

MongoError = PyMongoError
Unreachable = ConnectionFailure
_WRITE_CONFLICT, _DUPLICATE, _NAMESPACE_EXISTS, _PAGE = 112, 11000, 48, 10_000
_STATEMENTS = {"insert": "documents", "update": "updates", "delete": "deletes"}


class TransactionConflict(Exception):
    """Another transaction got there first; the whole body may run again."""


class DuplicateKey(Exception):
    """A unique index refused a document; `collection` and `index` name it."""

    def __init__(self, collection: str, index: str) -> None:
        super().__init__(f"{collection}.{index}")
        self.collection, self.index = collection, index


class DocumentRefused(Exception):
    """MongoDB refuses a document for what it says (its collection's validator, its size), and will again."""


def _encode(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (frozenset, set)):
        return sorted(cast("Iterable[Any]", value))
    if isinstance(value, Enum):
        return value.value
    message = f"no document form for {type(value).__name__}"
    raise TypeError(message)


CODEC: CodecOptions[Document] = CodecOptions(
    tz_aware=True, type_registry=TypeRegistry(fallback_encoder=_encode)
)
RAW: CodecOptions[Any] = CodecOptions(
    document_class=RawBSONDocument
)  # documents as they lie in the database, byte for byte
Write = tuple[
    str, Document
]  # the kind of a write (insert, update, delete) and its statement, as MongoDB's commands take them


def replacing(document: Document, *, upsert: bool = False) -> Write:
    """Replaces the document of this `_id`; `upsert` makes it where there is none."""
    return "update", {"q": {"_id": document["_id"]}, "u": document, "upsert": upsert}


def updating(id_: str | Document, update: Document, *, many: bool = False) -> Write:
    """Updates the document of this `_id`, or the `many` whose `_id` meets this condition."""
    return "update", {"q": {"_id": id_}, "u": update, "multi": many}


def deleting(id_: str) -> Write:
    """Deletes the document of this `_id`."""
    return "delete", {"q": {"_id": id_}, "limit": 1}


class Query(NamedTuple):
    """What is asked of one collection: which documents, which of their fields, at most how many (0 = all)."""

    where: Filter
    fields: Mapping[str, Any] | None = None
    limit: int = 0

    def joined_from(self, collection: str) -> Document:
        """The stage that puts what is found into a field of the collection's name."""
        pipeline: list[Document] = [
            {"$match": self.where},
            *([{"$limit": self.limit}] if self.limit else []),
            *([{"$project": self.fields}] if self.fields else []),
        ]
        return {"$lookup": {"from": collection, "pipeline": pipeline, "as": collection}}


@dataclass(frozen=True, slots=True)
class Index:
    """An index of a collection; fields ascending unless given as (field, -1)."""

    fields: tuple[str | tuple[str, int], ...]
    unique: bool = False
    where: Mapping[str, Any] | None = None
    expire_seconds: int | None = None

    def __init__(
        self,
        *fields: str | tuple[str, int],
        unique: bool = False,
        where: Mapping[str, Any] | None = None,
        expire_seconds: int | None = None,
    ) -> None:
        for name, value in (
            ("fields", fields),
            ("unique", unique),
            ("where", where),
            ("expire_seconds", expire_seconds),
        ):
            object.__setattr__(self, name, value)

    @property
    def keys(self) -> list[tuple[str, int]]:
        """The fields with their directions."""
        return [(field, ASCENDING) if isinstance(field, str) else field for field in self.fields]

    @property
    def name(self) -> str:
        """A name that says what it is."""
        return "_".join(
            f"{field}{'' if direction == 1 else '_desc'}" for field, direction in self.keys
        ) + ("_unique" if self.unique else "")


class Mongo:
    """One database of one deployment, by either driver. Every operation takes the session of a transaction, or none."""

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
        self.driver: Driver = driver
        self.client: Any = (
            AsyncMongoClient(url, **options)
            if driver == "pymongo"
            else AsyncIOMotorClient(url, **options)
        )
        self.name = database
        self.db: Any = self.client.get_database(
            database,
            codec_options=CODEC,
            write_concern=WriteConcern("majority"),
            read_concern=ReadConcern("majority"),
        )

    async def close(self) -> None:
        """Close the client."""
        await _driven(self.client.close())

    async def ping(self) -> None:
        """Return when a primary answers; MongoError otherwise."""
        await self.client.admin.command("hello")
        await self.db.command("ping")

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
        """All documents that match, at most `limit` (0 = all); `hint` names the index to use."""
        if session is None:
            cursor = self.db[collection].find(
                where, fields, limit=limit, batch_size=_PAGE, hint=hint
            )
            return await (cursor.sort(list(sort)) if sort else cursor).to_list(None)
        # in a transaction nothing is tried again by the driver, and its cursor takes half as much processor time again as a command
        more = {"projection": fields, "sort": dict(sort), "limit": limit, "hint": hint}
        command: Document = {"find": collection, "filter": where, "batchSize": _PAGE} | {
            name: value for name, value in more.items() if value
        }
        found: list[Document] = []
        while command:
            cursor = (await self._command(command, session))["cursor"]
            found += cursor["firstBatch"] if "firstBatch" in cursor else cursor["nextBatch"]
            command = (
                {"getMore": cursor["id"], "collection": collection, "batchSize": _PAGE}
                if cursor["id"]
                else {}
            )
        return found

    async def find_in_each(
        self, queries: Mapping[str, Query], *, session: Session = None
    ) -> dict[str, list[Document]]:
        """What each query finds in its collection, all asked at once: at most 16 MiB together. One statement costs a third of five."""
        pipeline: list[Document] = [
            {"$documents": [{}]},
            *(query.joined_from(collection) for collection, query in queries.items()),
        ]
        return (await self._command({"aggregate": 1, "pipeline": pipeline, "cursor": {}}, session))[
            "cursor"
        ]["firstBatch"][0]

    async def find_one(
        self, collection: str, where: Filter, *, session: Session = None
    ) -> Document | None:
        """The first document that matches."""
        return next(iter(await self.find(collection, where, limit=1, session=session)), None)

    async def count(self, collection: str, where: Filter, *, session: Session = None) -> int:
        """How many documents match."""
        return await self._call(
            collection, self.db[collection].count_documents(where, session=session), session
        )

    async def aggregate(
        self, collection: str, pipeline: Sequence[Document], *, session: Session = None
    ) -> list[Document]:
        """The result of an aggregation."""
        cursor = await _driven(self.db[collection].aggregate(list(pipeline), session=session))
        return await self._call(collection, cursor.to_list(None), session)

    async def insert(
        self, collection: str, documents: Sequence[Document], *, session: Session = None
    ) -> None:
        """Insert all documents, unordered. DuplicateKey, DocumentRefused."""
        await self.bulk(collection, documents, session=session)

    async def bulk(
        self, collection: str, writes: Iterable[Write | Document], *, session: Session = None
    ) -> None:
        """Run these writes (a document alone is an insert), unordered. DuplicateKey, DocumentRefused."""
        await self.write({collection: writes}, session=session)

    async def write(
        self, by_collection: Mapping[str, Iterable[Write | Document]], *, session: Session = None
    ) -> None:
        """Run these writes of several collections, those of one collection unordered. DuplicateKey, DocumentRefused."""
        commands: list[
            tuple[str, Document]
        ] = []  # one of each kind; the drivers' own bulk takes twice the processor time
        for collection, writes in by_collection.items():
            by_kind: dict[str, list[Document]] = {}
            for write in writes:
                kind, statement = write if isinstance(write, tuple) else ("insert", write)
                by_kind.setdefault(kind, []).append(statement)
            more: Document = {"ordered": False} | (
                {} if session else {"writeConcern": {"w": "majority"}}
            )
            commands += [
                (collection, {kind: collection, _STATEMENTS[kind]: statements, **more})
                for kind, statements in by_kind.items()
            ]
        if self.driver == "motor":
            await self._call(
                "", asyncio.to_thread(self._write_in_turn, commands, session), session
            )  # one hop to a thread for all of them
            return
        await self._in_turn(commands, session)

    def _write_in_turn(self, commands: Iterable[tuple[str, Document]], session: Session) -> None:
        for collection, command in commands:
            with _refusals(collection):
                answer = self.db.delegate.command(
                    command, codec_options=CODEC, session=session and session.delegate
                )
            _tell_refusal(collection, answer.get("writeErrors", []))

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
        """Update one (or many) documents; how many matched."""
        target = self.db[collection].update_many if many else self.db[collection].update_one
        return (
            await self._call(
                collection, target(where, update, upsert=upsert, session=session), session
            )
        ).matched_count

    async def find_and_update(
        self,
        collection: str,
        where: Filter,
        update: Any,
        *,
        upsert: bool = False,
        session: Session = None,
    ) -> Document | None:
        """Update one document and return it as it is afterwards."""
        if session is not None:  # as in `find`
            return (
                await self._command(
                    {
                        "findAndModify": collection,
                        "query": where,
                        "update": update,
                        "upsert": upsert,
                        "new": True,
                    },
                    session,
                    collection,
                )
            )["value"]
        found = self.db[collection].find_one_and_update(
            where, update, upsert=upsert, return_document=ReturnDocument.AFTER, session=session
        )
        return await self._call(collection, found, session)

    async def delete(self, collection: str, where: Filter, *, session: Session = None) -> int:
        """Delete all that match; how many."""
        return (
            await self._call(
                collection, self.db[collection].delete_many(where, session=session), session
            )
        ).deleted_count

    async def inserts(self, collection: str, field: str) -> AsyncIterator[list[Any]]:
        """What `field` is in each document that is inserted, by whomever; first nothing, for what may have been inserted before. A change stream: MongoError when it is lost."""
        # by commands: the drivers hand out change by change, Motor each with a thread hop, and a batch inserts hundreds
        pipeline: list[Document] = [
            {"$changeStream": {}},
            {"$match": {"operationType": "insert"}},
            {"$project": {f"fullDocument.{field}": 1}},
        ]
        async with self._session() as session:
            opening: Document = {
                "aggregate": collection,
                "pipeline": pipeline,
                "cursor": {},
                "readConcern": {"level": "majority"},
            }
            cursor = (await self.db.command(opening, session=session))["cursor"]
            try:
                yield []
                while cursor["id"]:
                    cursor = (
                        await self.db.command(
                            {"getMore": cursor["id"], "collection": collection, "maxTimeMS": 5_000},
                            session=session,
                        )
                    )["cursor"]
                    if changes := cursor["nextBatch"]:
                        yield [change["fullDocument"][field] for change in changes]
            finally:
                await _tidied(
                    self.db.command(
                        {"killCursors": collection, "cursors": [cursor["id"]]}, session=session
                    )
                )

    async def collections(self) -> dict[str, Document | None]:
        """The collections that exist, with their `$jsonSchema`."""
        answer = await self.db.command("listCollections", cursor={"batchSize": _PAGE})
        return {
            one["name"]: one.get("options", {}).get("validator", {}).get("$jsonSchema")
            for one in answer["cursor"]["firstBatch"]
        }

    async def ensure_collection(
        self,
        name: str,
        validator: Document | None,
        indexes: Iterable[Index],
        known: Mapping[str, Document | None],
    ) -> None:
        """Make the collection, its validator and its indexes be as told."""
        # what is so already is left alone: collMod would wait for a transaction that a killed process left open
        options = (
            {"validator": {"$jsonSchema": validator}, "validationLevel": "strict"}
            if validator
            else {}
        )
        if name not in known:
            try:
                await self.db.create_collection(name, **options)
            except (CollectionInvalid, OperationFailure) as error:
                if isinstance(error, OperationFailure) and error.code != _NAMESPACE_EXISTS:
                    raise
        elif validator and known[name] != validator:
            await self.db.command("collMod", name, **options)
        there = {
            one["name"] for one in await (await _driven(self.db[name].list_indexes())).to_list(None)
        }
        for index in indexes:
            if index.name not in there:
                more: Document = (
                    {"partialFilterExpression": dict(index.where)} if index.where else {}
                )
                more |= (
                    {"expireAfterSeconds": index.expire_seconds}
                    if index.expire_seconds is not None
                    else {}
                )
                await self.db[name].create_index(
                    index.keys, name=index.name, unique=index.unique, **more
                )

    async def rename(self, collection: str, to: str, *, replaces: bool = True) -> None:
        """Rename a collection; one that has the new name is dropped, or MongoError is raised."""
        await self.db[collection].rename(to, dropTarget=replaces)

    async def drop_collection(self, collection: str) -> None:
        """Drop a collection and its indexes."""
        await self.db.drop_collection(collection)

    async def drop(self) -> None:
        """Drop the database."""
        await self.client.drop_database(self.name)

    async def transact(self, body: Callable[[Session], Awaitable[R]]) -> R:
        """Run `body(session)` in one transaction (snapshot, majority) and commit. TransactionConflict when MongoDB asks for the whole body again.

        An unknown commit result is committed again until it is known: commits are idempotent. Unreachable: nothing was committed.
        """
        async with self._session() as session:
            await _driven(
                session.start_transaction(
                    read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority")
                )
            )
            try:
                result = await body(session)
            except BaseException as error:
                if session.in_transaction:
                    await _tidied(session.abort_transaction())
                _tell_conflict(error)
                raise
            while True:
                try:
                    await session.commit_transaction()
                except PyMongoError as error:
                    if not error.has_error_label("UnknownTransactionCommitResult"):
                        _tell_conflict(error)
                        raise
                    await asyncio.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - jitter
                else:
                    return result

    @asynccontextmanager
    async def _session(self) -> AsyncGenerator[Session]:
        if self.driver == "pymongo":
            async with self.client.start_session() as session:
                yield session
        else:
            with (
                self.client.delegate.start_session() as inner
            ):  # neither beginning nor end asks the server: no hop to a thread
                yield AsyncIOMotorClientSession(inner, self.client)

    async def _in_turn(
        self, commands: Iterable[tuple[str, Document]], session: Session
    ) -> list[Document]:
        """Run these by the async driver over one connection. It has no public way to keep one: to choose a server and take a connection for each is a quarter of its time."""
        answers: list[Document] = []
        async with await self.client._conn_for_writes(session, "command") as connection:  # noqa: SLF001
            for collection, command in commands:
                with _refusals(collection):
                    answers.append(
                        await connection.command(
                            self.name,
                            command,
                            codec_options=CODEC,
                            session=session,
                            client=self.client,
                        )
                    )
                _tell_refusal(collection, answers[-1].get("writeErrors", ()))
        return answers

    async def _command(self, command: Document, session: Session, collection: str = "") -> Document:
        if self.driver == "pymongo":
            return (await self._in_turn([(collection, command)], session))[0]
        return await self._call(
            collection, self.db.command(command, codec_options=CODEC, session=session), session
        )

    async def _call(self, collection: str, operation: Awaitable[R], session: Session) -> R:
        with _refusals(collection):
            return await (
                operation if session is None or self.driver == "pymongo" else _to_its_end(operation)
            )


async def _driven(made: Any) -> Any:
    """What a driver's method gives: PyMongo a coroutine where Motor gives the thing itself, or the other way round."""
    return await made if isawaitable(made) else made


async def _to_its_end(operation: Awaitable[R]) -> R:
    """Await Motor's call, to its end even when cancelled: its thread goes on, and what it writes after the abort would stand outside the transaction."""
    call = asyncio.ensure_future(operation)
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        await asyncio.gather(call, return_exceptions=True)
        raise


async def _tidied(ending: Awaitable[object]) -> None:
    with suppress(PyMongoError):  # the server ends it by itself; the first error is the one to tell
        await ending


def _tell_conflict(error: BaseException) -> None:
    """TransactionConflict for what MongoDB calls transient, unless it is away altogether."""
    if isinstance(error, ConnectionFailure) or not isinstance(error, PyMongoError):
        return
    if (
        error.has_error_label("TransientTransactionError")
        or getattr(error, "code", 0) == _WRITE_CONFLICT
    ):
        raise TransactionConflict from error


@contextmanager
def _refusals(collection: str) -> Generator[None]:
    try:
        yield
    except WriteError as error:
        _tell_refusal(collection, [{"code": error.code, **(error.details or {})}])
        raise


def _tell_refusal(collection: str, problems: Sequence[Mapping[str, Any]]) -> None:
    """DuplicateKey or DocumentRefused, where it is a document's fault."""
    for problem in problems:
        if problem["code"] == _DUPLICATE:
            raise DuplicateKey(
                collection,
                str(problem.get("errmsg")).partition(" index: ")[2].partition(" ")[0] or "_id_",
            )
    if codes := {problem["code"] for problem in problems} - {_WRITE_CONFLICT}:
        raise DocumentRefused(f"{collection}: {sorted(codes)}")
