"""The commands `backup` and `key`: all databases read as they were at one cluster time, sealed piece by piece. Not here: the keys (custody), how pieces are told (manifest)."""

from __future__ import annotations

import asyncio
import os
import shutil
import tomllib
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from rich.console import Console
from rich.progress import Progress

from chassis.ids import utc_now
from chassis.persistence.mongo import RAW, Mongo, MongoError
from ops.audit import server_actions
from ops.backup import encryption, key_custody
from ops.backup.encryption import Chest
from ops.backup.manifest import FORMAT, SIGNING_KEY, Manifest, Piece, hash_bytes
from ops.errors import OperatorError
from ops.json_output import print_json
from ops.local import mongo_login, mongo_users, platform_checks, secrets, state_dir, topology

PIECE_BYTES = (
    8 * platform_checks.MIB
)  # of BSON, before it is compressed: what is in memory at a time, beside one page of MongoDB's
HISTORY_SECONDS = (
    6 * 3_600
)  # so long the server is to remember the cluster time, instead of its 300 seconds
_SNAPSHOT_TOO_OLD, _SNAPSHOT_UNAVAILABLE = 239, 246  # SnapshotTooOld, SnapshotUnavailable
_COMPRESSION_LEVEL, _PAGE_SIZE = 3, 1_000


def make_holder_key(path: Path, *, as_json: bool) -> int:
    """Make a holder's pair of keys; 0."""
    name = encryption.make_pair(path)
    if as_json:
        print_json({"private": str(path), "public": f"{path}.pub", "key": name})
    else:
        console = Console(highlight=False, soft_wrap=True, markup=False)
        console.print(
            f"Kunci {name}\n  privat: {path}: simpan pada pemegangnya saja, di luar mesin ini\n  publik: {path}.pub: untuk ./bina backup"
        )
    return 0


def make_backup(
    directory: Path,
    readers: Sequence[Path],
    custody_directory: Path,
    holders: Sequence[Path],
    *,
    as_json: bool,
) -> int:
    """Make a backup below `place`, and the custody file of the keys in `kept`; 0."""
    who = [encryption.public_key(path) for path in readers]
    two = [(path.name.removesuffix(".pub"), encryption.public_key(path)) for path in holders]
    if len({encryption.name_of(public) for _, public in two}) != key_custody.HOLDER_COUNT:
        raise OperatorError(
            "Kunci dipegang dua orang: berikan --holder dua kali, dua kunci yang berbeda.",
            "Two people hold the keys: give --holder twice, two different keys.",
        )
    if custody_directory.resolve().is_relative_to(directory.resolve()):
        raise OperatorError(
            f"{custody_directory} terletak di dalam {directory}: kunci disimpan terpisah dari data.",
            f"{custody_directory} lies in {directory}: the keys are kept apart from the data.",
        )
    url = find_server_url()
    platform_checks.require_space(directory, 256)
    for folder in (directory, custody_directory):
        _require_writable(folder)
    told = asyncio.run(_make_backup(url, directory, who, custody_directory, two))
    if as_json:
        print_json(told)
        return 0
    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(
        f"Cadangan {told['backup']}: {told['documents']} dokumen, {told['bytes'] // platform_checks.MIB} MiB dalam {told['seconds']} detik."
    )
    console.print(
        f"Keadaan pukul {told['cluster_time_at']}. Kunci ({told['keys']}) terpisah di {told['custody']}: serahkan kepada kedua pemegangnya."
    )
    if not told["history_extended"]:
        console.print(
            "MongoDB tidak mengizinkan memperpanjang riwayat snapshot: cadangan yang lebih lama dari minSnapshotHistoryWindowInSeconds akan gagal.",
            style="yellow",
        )
    return 0


def _require_writable(folder: Path) -> None:
    """OperatorError unless files can be made there: it would else be found only after all was read."""
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OperatorError(
            f"{folder} tidak dapat ditulisi oleh pengguna {os.getuid()}.",
            f"User {os.getuid()} cannot write into {folder}.",
        )


def find_server_url() -> str:
    """The administrator's URL of the MongoDB of this installation. OperatorError when none is named and none runs here."""
    state_dir.adopt_runner_variables()
    if url := mongo_login.configured_url():
        return url
    if state_dir.runner_pid() is None:
        raise OperatorError(
            "Bina tidak berjalan: jalankan ./bina up, atau beri BINA_MONGO_URL.",
            "Bina is not running: run ./bina up, or give BINA_MONGO_URL.",
        )
    return mongo_users.administrator_url(
        f"{platform_checks.LOOPBACK}:{topology.MONGOD.port}",
        secrets.administrator_password(state_dir.path() / "secrets"),
    )


@dataclass(slots=True)
class _PieceWriter:
    """What is written so far."""

    directory: Path
    id: str
    chest: Chest
    pieces: list[Piece] = field(default_factory=list[Piece])

    async def write(self, service: str, collection: str, documents: list[bytes]) -> None:
        """One more piece, sealed and hashed in a thread of its own."""
        self.pieces.append(
            await asyncio.to_thread(self._seal, len(self.pieces), service, collection, documents)
        )

    def _seal(self, number: int, service: str, collection: str, documents: list[bytes]) -> Piece:
        content = zlib.compress(b"".join(documents), _COMPRESSION_LEVEL)
        piece = Piece(
            number=number,
            service=service,
            collection=collection,
            documents=len(documents),
            size=sum(map(len, documents)),
            sha256="",
        )
        sealed = self.chest.seal(content, number, piece.sealing_context(self.id))
        file = self.directory / piece.file
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as out:
            out.write(sealed)
            out.flush()
            os.fsync(out.fileno())
        return replace(piece, sha256=hash_bytes(sealed))


async def _make_backup(
    url: str,
    directory: Path,
    readers: Sequence[X25519PublicKey],
    custody_directory: Path,
    holders: Sequence[tuple[str, X25519PublicKey]],
) -> dict[str, Any]:
    began, loop = utc_now(), asyncio.get_running_loop().time
    started, id_, secret = (
        loop(),
        f"bina-{began:%Y%m%dT%H%M%S%f}"[:-3] + "Z",
        encryption.random_key(),
    )
    draft, file = directory / f".{id_}", custody_directory / f"{id_}.keys"
    draft.mkdir(mode=0o700, parents=True)
    pieces = _PieceWriter(draft, id_, Chest(secret))
    console = Console(stderr=True)
    databases = {
        service.name: Mongo(url, service.name, "pymongo", app="bina-backup")
        for service in topology.PROCESSES
    }
    try:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            async with (
                mongo_users.open_admin_database(url) as admin,
                _extend_history(admin) as extended,
            ):
                time, version = await _read_databases(databases, admin, pieces, progress)
        issuers = [
            (lsp["_id"], key["name"])
            for lsp in await databases["certification"].find("lsps", {}, fields={"keys.name": 1})
            for key in lsp.get("keys", ())
        ]
        keys = key_custody.collect_keys(
            state_dir.path(), issuers
        )  # after the data: a key that it speaks of is there by now
        key_custody.write_custody_file(file, id_, began, keys, holders)
        told = {
            "format": FORMAT,
            "id": id_,
            "made_at": began.isoformat(),
            "cluster_time": [time.time, time.inc],
            "cluster_time_at": datetime.fromtimestamp(time.time, UTC).isoformat(),
            "bina": str(
                tomllib.loads((state_dir.ROOT / "pyproject.toml").read_text())["project"]["version"]
            ),
            "mongodb": version,
            "services": list(databases),
            "keys": key_custody.fingerprints(keys),
            "readers": {
                encryption.name_of(public): encryption.seal_for(public, secret, f"backup/{id_}")
                for public in readers
            },
            "count": len(pieces.pieces),
            "pieces": [asdict(piece) for piece in pieces.pieces],
        }
        Manifest(told).write(draft, keys[SIGNING_KEY])
        for database in databases.values():
            await server_actions.record_action(database, "backup.made", id_)
    except BaseException as error:
        shutil.rmtree(draft)
        file.unlink(missing_ok=True)
        if isinstance(error, MongoError):
            raise OperatorError(
                f"Pencadangan terputus ({type(error).__name__}): tidak ada cadangan yang dibuat. Perbaiki server atau hak penggunanya, lalu ulangi.",
                f"The backup was interrupted ({type(error).__name__}): none was made. Mend the server or its user's rights, then try again.",
            ) from error
        raise
    finally:
        for database in databases.values():
            await database.close()
    draft.rename(directory / id_)
    return {
        "backup": str(directory / id_),
        "id": id_,
        "custody": str(file),
        "cluster_time_at": told["cluster_time_at"],
        "pieces": len(pieces.pieces),
        "documents": sum(piece.documents for piece in pieces.pieces),
        "bytes": sum(
            path.stat().st_size for path in (directory / id_).rglob("*") if path.is_file()
        ),
        "keys": len(keys),
        "history_extended": extended,
        "seconds": round(loop() - started, 1),
    }


async def _read_databases(
    databases: dict[str, Mongo], admin: Mongo, writer: _PieceWriter, progress: Progress
) -> tuple[Any, str]:
    """Read all collections of all databases at one cluster time; that time, and the server's version. OperatorError when the server no longer knows it."""
    before = {name: await _list_collections(database) for name, database in databases.items()}
    total = sum(
        [
            (await database.db.command("count", collection))["n"]
            for name, database in databases.items()
            for collection in before[name]
        ]
    )
    bar = progress.add_task("Membaca basis data", total=total or 1)
    first = next(
        iter(databases.values())
    )  # which collection it is asked of does not matter, nor whether it is there
    time = (
        await first.db.command({"find": "outbox", "limit": 1, "readConcern": {"level": "snapshot"}})
    )["cursor"]["atClusterTime"]
    try:
        for name, database in databases.items():
            async with database.client.start_session(causal_consistency=False) as session:
                for collection in before[name]:
                    async for documents in _split_into_pieces(
                        _read_as_of(database, collection, time, session)
                    ):
                        await writer.write(name, collection, documents)
                        progress.advance(bar, len(documents))
    except MongoError as error:
        if getattr(error, "code", 0) in {_SNAPSHOT_TOO_OLD, _SNAPSHOT_UNAVAILABLE}:
            raise OperatorError(
                "MongoDB sudah tidak mengingat keadaan pada waktu cadangan dimulai: tidak ada cadangan yang dibuat. Naikkan minSnapshotHistoryWindowInSeconds, lalu ulangi.",
                "MongoDB no longer knows the state at which the backup began: no backup was made. Raise minSnapshotHistoryWindowInSeconds, then try again.",
            ) from error
        raise
    if {name: await _list_collections(database) for name, database in databases.items()} != before:
        raise OperatorError(
            "Koleksi dibuat, diganti nama atau dihapus selama pencadangan: tidak ada cadangan yang dibuat. Ulangi setelah semua layanan siap.",
            "A collection was made, renamed or dropped meanwhile: no backup was made. Try again when all services are ready.",
        )
    return time, str((await admin.client.admin.command("buildInfo"))["version"])


async def _read_as_of(
    database: Mongo, collection: str, time: Any, session: Any
) -> AsyncIterator[list[bytes]]:
    """All documents of a collection as they were at that cluster time, page by page. By commands: the drivers' own snapshot sessions keep their time to themselves."""
    opening: dict[str, Any] = {
        "find": collection,
        "batchSize": _PAGE_SIZE,
        "readConcern": {"level": "snapshot", "atClusterTime": time},
    }
    cursor = (await database.db.command(opening, session=session, codec_options=RAW))["cursor"]
    page = cursor["firstBatch"]
    while True:
        yield [document.raw for document in page]
        if not cursor["id"]:
            return
        cursor = (
            await database.db.command(
                {"getMore": cursor["id"], "collection": collection},
                session=session,
                codec_options=RAW,
            )
        )["cursor"]
        page = cursor["nextBatch"]


async def _list_collections(database: Mongo) -> dict[str, Any]:
    """The collections with their unique ids: a name alone could by now mean another one."""
    answer = await database.db.command(
        "listCollections", cursor={"batchSize": 10_000}, filter={"type": "collection"}
    )
    return {
        one["name"]: one["info"]["uuid"]
        for one in answer["cursor"]["firstBatch"]
        if not one["name"].startswith("system.")
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
                documents, size = [], 0
    if documents:
        yield documents


@asynccontextmanager
async def _extend_history(admin: Mongo) -> AsyncGenerator[bool]:
    """Let the server remember the past for longer while the block lasts; False where it does not let us."""
    name = "minSnapshotHistoryWindowInSeconds"
    try:
        was = int((await admin.client.admin.command({"getParameter": 1, name: 1}))[name])
        await admin.client.admin.command({"setParameter": 1, name: max(was, HISTORY_SECONDS)})
    except MongoError:
        yield False
        return
    try:
        yield True
    finally:
        await admin.client.admin.command(
            {"setParameter": 1, name: 300 if was == HISTORY_SECONDS else was}
        )  # ours: a backup that was killed left it behind
