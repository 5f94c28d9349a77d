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
from ops.backup.manifest import FORMAT, SIGNED_BY, Manifest, Piece, sha256
from ops.errors import Trouble
from ops.json_output import tell
from ops.local import mongo_login, mongo_users, platform_checks, secrets, state_dir, topology

PIECE_BYTES = (
    8 * platform_checks.MIB
)  # of BSON, before it is compressed: what is in memory at a time, beside one page of MongoDB's
HISTORY_SECONDS = (
    6 * 3_600
)  # so long the server is to remember the cluster time, instead of its 300 seconds
_TOO_OLD, _UNAVAILABLE = 239, 246  # SnapshotTooOld, SnapshotUnavailable
_COMPRESSION, _PAGE = 3, 1_000


def key(path: Path, *, as_json: bool) -> int:
    """Make a holder's pair of keys; 0."""
    name = encryption.make_pair(path)
    if as_json:
        tell({"private": str(path), "public": f"{path}.pub", "key": name})
    else:
        console = Console(highlight=False, soft_wrap=True, markup=False)
        console.print(
            f"Kunci {name}\n  privat: {path}: simpan pada pemegangnya saja, di luar mesin ini\n  publik: {path}.pub: untuk ./bina backup"
        )
    return 0


def backup(
    place: Path, readers: Sequence[Path], kept: Path, holders: Sequence[Path], *, as_json: bool
) -> int:
    """Make a backup below `place`, and the custody file of the keys in `kept`; 0."""
    who = [encryption.public_key(path) for path in readers]
    two = [(path.name.removesuffix(".pub"), encryption.public_key(path)) for path in holders]
    if len({encryption.name_of(public) for _, public in two}) != key_custody.HOLDERS:
        raise Trouble(
            "Kunci dipegang dua orang: berikan --holder dua kali, dua kunci yang berbeda.",
            "Two people hold the keys: give --holder twice, two different keys.",
        )
    if kept.resolve().is_relative_to(place.resolve()):
        raise Trouble(
            f"{kept} terletak di dalam {place}: kunci disimpan terpisah dari data.",
            f"{kept} lies in {place}: the keys are kept apart from the data.",
        )
    url = server()
    platform_checks.require_space(place, 256)
    for folder in (place, kept):
        _require_writable(folder)
    told = asyncio.run(_made(url, place, who, kept, two))
    if as_json:
        tell(told)
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
    """Trouble unless files can be made there: it would else be found only after all was read."""
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Trouble(
            f"{folder} tidak dapat ditulisi oleh pengguna {os.getuid()}.",
            f"User {os.getuid()} cannot write into {folder}.",
        )


def server() -> str:
    """The administrator's URL of the MongoDB of this installation. Trouble when none is named and none runs here."""
    state_dir.follow_runner()
    if url := mongo_login.named():
        return url
    if state_dir.runner() is None:
        raise Trouble(
            "Bina tidak berjalan: jalankan ./bina up, atau beri BINA_MONGO_URL.",
            "Bina is not running: run ./bina up, or give BINA_MONGO_URL.",
        )
    return mongo_users.administrator_url(
        f"{platform_checks.LOOPBACK}:{topology.MONGOD.port}",
        secrets.administrator_password(state_dir.home() / "secrets"),
    )


@dataclass(slots=True)
class _Pieces:
    """What is written so far."""

    place: Path
    id: str
    chest: Chest
    written: list[Piece] = field(default_factory=list[Piece])

    async def write(self, service: str, collection: str, documents: list[bytes]) -> None:
        """One more piece, sealed and hashed in a thread of its own."""
        self.written.append(
            await asyncio.to_thread(self._sealed, len(self.written), service, collection, documents)
        )

    def _sealed(self, number: int, service: str, collection: str, documents: list[bytes]) -> Piece:
        content = zlib.compress(b"".join(documents), _COMPRESSION)
        piece = Piece(
            number=number,
            service=service,
            collection=collection,
            documents=len(documents),
            size=sum(map(len, documents)),
            sha256="",
        )
        sealed = self.chest.seal(content, number, piece.place(self.id))
        file = self.place / piece.file
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as out:
            out.write(sealed)
            out.flush()
            os.fsync(out.fileno())
        return replace(piece, sha256=sha256(sealed))


async def _made(
    url: str,
    place: Path,
    readers: Sequence[X25519PublicKey],
    kept: Path,
    holders: Sequence[tuple[str, X25519PublicKey]],
) -> dict[str, Any]:
    began, loop = utc_now(), asyncio.get_running_loop().time
    started, id_, secret = (
        loop(),
        f"bina-{began:%Y%m%dT%H%M%S%f}"[:-3] + "Z",
        encryption.random_key(),
    )
    draft, file = place / f".{id_}", kept / f"{id_}.keys"
    draft.mkdir(mode=0o700, parents=True)
    pieces = _Pieces(draft, id_, Chest(secret))
    console = Console(stderr=True)
    databases = {
        service.name: Mongo(url, service.name, "pymongo", app="bina-backup")
        for service in topology.OURS
    }
    try:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            async with mongo_users.administering(url) as admin, _remembering(admin) as extended:
                time, version = await _read(databases, admin, pieces, progress)
        issuers = [
            (lsp["_id"], key["name"])
            for lsp in await databases["certification"].find("lsps", {}, fields={"keys.name": 1})
            for key in lsp.get("keys", ())
        ]
        keys = key_custody.of(
            state_dir.home(), issuers
        )  # after the data: a key that it speaks of is there by now
        key_custody.write(file, id_, began, keys, holders)
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
            "count": len(pieces.written),
            "pieces": [asdict(piece) for piece in pieces.written],
        }
        Manifest(told).write(draft, keys[SIGNED_BY])
        for database in databases.values():
            await server_actions.note(database, "backup.made", id_)
    except BaseException as error:
        shutil.rmtree(draft)
        file.unlink(missing_ok=True)
        if isinstance(error, MongoError):
            raise Trouble(
                f"Pencadangan terputus ({type(error).__name__}): tidak ada cadangan yang dibuat. Perbaiki server atau hak penggunanya, lalu ulangi.",
                f"The backup was interrupted ({type(error).__name__}): none was made. Mend the server or its user's rights, then try again.",
            ) from error
        raise
    finally:
        for database in databases.values():
            await database.close()
    draft.rename(place / id_)
    return {
        "backup": str(place / id_),
        "id": id_,
        "custody": str(file),
        "cluster_time_at": told["cluster_time_at"],
        "pieces": len(pieces.written),
        "documents": sum(piece.documents for piece in pieces.written),
        "bytes": sum(path.stat().st_size for path in (place / id_).rglob("*") if path.is_file()),
        "keys": len(keys),
        "history_extended": extended,
        "seconds": round(loop() - started, 1),
    }


async def _read(
    databases: dict[str, Mongo], admin: Mongo, pieces: _Pieces, progress: Progress
) -> tuple[Any, str]:
    """Read all collections of all databases at one cluster time; that time, and the server's version. Trouble when the server no longer knows it."""
    before = {name: await _collections(database) for name, database in databases.items()}
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
                    async for documents in _in_pieces(_as_of(database, collection, time, session)):
                        await pieces.write(name, collection, documents)
                        progress.advance(bar, len(documents))
    except MongoError as error:
        if getattr(error, "code", 0) in {_TOO_OLD, _UNAVAILABLE}:
            raise Trouble(
                "MongoDB sudah tidak mengingat keadaan pada waktu cadangan dimulai: tidak ada cadangan yang dibuat. Naikkan minSnapshotHistoryWindowInSeconds, lalu ulangi.",
                "MongoDB no longer knows the state at which the backup began: no backup was made. Raise minSnapshotHistoryWindowInSeconds, then try again.",
            ) from error
        raise
    if {name: await _collections(database) for name, database in databases.items()} != before:
        raise Trouble(
            "Koleksi dibuat, diganti nama atau dihapus selama pencadangan: tidak ada cadangan yang dibuat. Ulangi setelah semua layanan siap.",
            "A collection was made, renamed or dropped meanwhile: no backup was made. Try again when all services are ready.",
        )
    return time, str((await admin.client.admin.command("buildInfo"))["version"])


async def _as_of(
    database: Mongo, collection: str, time: Any, session: Any
) -> AsyncIterator[list[bytes]]:
    """All documents of a collection as they were at that cluster time, page by page. By commands: the drivers' own snapshot sessions keep their time to themselves."""
    opening: dict[str, Any] = {
        "find": collection,
        "batchSize": _PAGE,
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


async def _collections(database: Mongo) -> dict[str, Any]:
    """The collections with their unique ids: a name alone could by now mean another one."""
    answer = await database.db.command(
        "listCollections", cursor={"batchSize": 10_000}, filter={"type": "collection"}
    )
    return {
        one["name"]: one["info"]["uuid"]
        for one in answer["cursor"]["firstBatch"]
        if not one["name"].startswith("system.")
    }


async def _in_pieces(pages: AsyncIterator[list[bytes]]) -> AsyncIterator[list[bytes]]:
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
async def _remembering(admin: Mongo) -> AsyncGenerator[bool]:
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
