"""Reads all databases as of one cluster time. Not here: what becomes of the documents."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from rich.progress import Progress

from chassis.persistence.mongo import RAW, Mongo, MongoError
from ops.errors import OperatorError
from ops.local import platform_checks

# Bytes of BSON in one piece before compression. One piece and one page are in memory at a time.
PIECE_BYTES = 8 * platform_checks.MIB
# How long the server remembers the cluster time, instead of its default of 300 seconds.
HISTORY_SECONDS = 6 * 3_600
_DEFAULT_HISTORY_SECONDS = 300
_HISTORY_PARAMETER = "minSnapshotHistoryWindowInSeconds"
_SNAPSHOT_TOO_OLD = 239
_SNAPSHOT_UNAVAILABLE = 246
_PAGE_SIZE = 1_000

WritePiece = Callable[[str, str, list[bytes]], Awaitable[None]]


async def read_databases(
    databases: dict[str, Mongo], admin: Mongo, write: WritePiece, progress: Progress
) -> tuple[Any, str]:
    """Hand all documents to `write(service, collection, documents)`, as of one cluster time.

    Returns that time and the server's version. Raises OperatorError when the server no longer
    knows the time, or when a collection was made or dropped meanwhile.
    """
    before = {name: await _list_collections(database) for name, database in databases.items()}
    bar = progress.add_task("Membaca basis data", total=await _count(databases, before) or 1)
    # Any collection serves for the question, also one that does not exist.
    any_database = next(iter(databases.values()))
    question = {"find": "outbox", "limit": 1, "readConcern": {"level": "snapshot"}}
    time = (await any_database.db.command(question))["cursor"]["atClusterTime"]
    try:
        for name, database in databases.items():
            async with database.client.start_session(causal_consistency=False) as session:
                for collection in before[name]:
                    pages = _read_as_of(database, collection, time, session)
                    async for documents in _split_into_pieces(pages):
                        await write(name, collection, documents)
                        progress.advance(bar, len(documents))
    except MongoError as error:
        if getattr(error, "code", 0) in {_SNAPSHOT_TOO_OLD, _SNAPSHOT_UNAVAILABLE}:
            raise OperatorError(
                "MongoDB sudah tidak mengingat keadaan pada waktu cadangan dimulai: tidak ada "
                f"cadangan yang dibuat. Naikkan {_HISTORY_PARAMETER}, lalu ulangi.",
                "MongoDB no longer knows the state at which the backup began: no backup was made. "
                f"Raise {_HISTORY_PARAMETER}, then try again.",
            ) from error
        raise
    after = {name: await _list_collections(database) for name, database in databases.items()}
    if after != before:
        raise OperatorError(
            "Koleksi dibuat, diganti nama atau dihapus selama pencadangan: tidak ada cadangan yang "
            "dibuat. Ulangi setelah semua layanan siap.",
            "A collection was made, renamed or dropped meanwhile: no backup was made. Try again "
            "when all services are ready.",
        )
    return time, str((await admin.client.admin.command("buildInfo"))["version"])


async def _count(databases: dict[str, Mongo], collections: dict[str, dict[str, Any]]) -> int:
    total = 0
    for name, database in databases.items():
        for collection in collections[name]:
            total += (await database.db.command("count", collection))["n"]
    return total


async def _read_as_of(
    database: Mongo, collection: str, time: Any, session: Any
) -> AsyncIterator[list[bytes]]:
    """Yield all documents of a collection at that cluster time, page by page.

    By commands, because the drivers' own snapshot sessions do not reveal their time.
    """
    opening: dict[str, Any] = {
        "find": collection,
        "batchSize": _PAGE_SIZE,
        "readConcern": {"level": "snapshot", "atClusterTime": time},
    }
    answer = await database.db.command(opening, session=session, codec_options=RAW)
    cursor = answer["cursor"]
    page = cursor["firstBatch"]
    while True:
        yield [document.raw for document in page]
        if not cursor["id"]:
            return
        following = {"getMore": cursor["id"], "collection": collection}
        answer = await database.db.command(following, session=session, codec_options=RAW)
        cursor = answer["cursor"]
        page = cursor["nextBatch"]


async def _list_collections(database: Mongo) -> dict[str, Any]:
    """Return the collections with their unique ids: a name may by now mean another collection."""
    answer = await database.db.command(
        "listCollections", cursor={"batchSize": 10_000}, filter={"type": "collection"}
    )
    return {
        collection["name"]: collection["info"]["uuid"]
        for collection in answer["cursor"]["firstBatch"]
        if not collection["name"].startswith("system.")
    }


async def _split_into_pieces(pages: AsyncIterator[list[bytes]]) -> AsyncIterator[list[bytes]]:
    documents: list[bytes] = []
    size = 0
    async for page in pages:
        for document in page:
            documents.append(document)
            size += len(document)
            if size >= PIECE_BYTES:
                yield documents
                documents = []
                size = 0
    if documents:
        yield documents


@asynccontextmanager
async def extend_history(admin: Mongo) -> AsyncGenerator[bool]:
    """Let the server remember the past longer inside the block; False where it refuses."""
    commands = admin.client.admin
    try:
        answer = await commands.command({"getParameter": 1, _HISTORY_PARAMETER: 1})
        former = int(answer[_HISTORY_PARAMETER])
        longer = max(former, HISTORY_SECONDS)
        await commands.command({"setParameter": 1, _HISTORY_PARAMETER: longer})
    except MongoError:
        yield False
        return
    # A backup that was killed left our own value behind.
    restored = _DEFAULT_HISTORY_SECONDS if former == HISTORY_SECONDS else former
    try:
        yield True
    finally:
        await commands.command({"setParameter": 1, _HISTORY_PARAMETER: restored})
