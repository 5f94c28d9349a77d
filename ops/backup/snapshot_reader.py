"""Reads all databases as of one cluster time. Not here: writing the documents (create)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from rich.progress import Progress

from chassis.persistence.mongo import RAW, Mongo, MongoError
from ops.errors import OperatorError
from ops.language import choose
from ops.local import platform_checks

# Of BSON, before compression. One piece and one page are in memory at a time.
PIECE_BYTES = 8 * platform_checks.MIB
# The snapshot history that the server keeps during a backup, instead of 300 seconds.
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
    """Pass all documents as of one cluster time to `write(service, collection, documents)`.

    Returns that time and the server's version. Raises OperatorError when the server's history no
    longer contains the time, or when a collection was created or dropped meanwhile.
    """
    before = {name: await _list_collections(database) for name, database in databases.items()}
    description = choose("Membaca basis data", "Reading databases")
    bar = progress.add_task(description, total=await _count(databases, before) or 1)
    # A snapshot read of any collection, even an absent one, returns the cluster time.
    any_database = next(iter(databases.values()))
    query = {"find": "outbox", "limit": 1, "readConcern": {"level": "snapshot"}}
    time = (await any_database.db.command(query))["cursor"]["atClusterTime"]
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
                "MongoDB no longer has the state of the time at which the backup began: no backup "
                f"was made. Raise {_HISTORY_PARAMETER}, then try again.",
            ) from error
        raise
    after = {name: await _list_collections(database) for name, database in databases.items()}
    if after != before:
        raise OperatorError(
            "Koleksi dibuat, diganti nama atau dihapus selama pencadangan: tidak ada cadangan yang "
            "dibuat. Ulangi setelah semua layanan siap.",
            "A collection was created, renamed or dropped during the backup: no backup was made. "
            "Try again when all services are ready.",
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

    Uses commands, because a snapshot session of the driver does not reveal its cluster time.
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
    """Return the UUIDs of the collections by name; a recreated collection has another UUID."""
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
    """Extend the server's snapshot history during the block; yield False if it refuses."""
    commands = admin.client.admin
    try:
        answer = await commands.command({"getParameter": 1, _HISTORY_PARAMETER: 1})
        former = int(answer[_HISTORY_PARAMETER])
        longer = max(former, HISTORY_SECONDS)
        await commands.command({"setParameter": 1, _HISTORY_PARAMETER: longer})
    except MongoError:
        yield False
        return
    # Our own value is there after a backup that was killed.
    restored = _DEFAULT_HISTORY_SECONDS if former == HISTORY_SECONDS else former
    try:
        yield True
    finally:
        await commands.command({"setParameter": 1, _HISTORY_PARAMETER: restored})
