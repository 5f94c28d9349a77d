"""The commands `backup` and `key`: all databases, read at one cluster time, as age files.

Not here: the keys of the installation (key_custody) and the description of a backup (manifest).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tomllib
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyrage import x25519
from rich.console import Console
from rich.progress import Progress

from chassis.ids import utc_now
from chassis.jobs import backup_age
from chassis.persistence.mongo import Mongo, MongoError
from ops.audit import server_actions
from ops.backup import encryption, key_custody
from ops.backup.manifest import FORMAT, SIGNING_KEY, Manifest, Piece, hash_bytes
from ops.backup.snapshot_reader import extend_history, read_databases
from ops.errors import OperatorError
from ops.json_output import print_json
from ops.language import choose
from ops.local import mongo_login, mongo_users, platform_checks, secrets, state_dir, topology
from ops.text_output import print_text

_COMPRESSION_LEVEL = 3
_SPACE_MIB = 256


def make_holder_key(path: Path, *, as_json: bool) -> int:
    """Make the pair of keys of a reader or holder; return 0."""
    name = encryption.make_pair(path)
    if as_json:
        print_json({"private": str(path), "public": f"{path}.pub", "key": name})
        return 0
    print_text(choose(f"Kunci {name}", f"Key {name}"))
    print_text(
        choose(
            f"  privat: {path}: simpan pada pemegangnya saja, di luar mesin ini",
            f"  private: {path}: only its holder keeps it, not on this machine",
        )
    )
    print_text(
        choose(
            f"  publik: {path}.pub: untuk ./bina backup", f"  public: {path}.pub: for ./bina backup"
        )
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
    """Make a backup below `directory`, its custody files in `custody_directory`; return 0."""
    recipients = [encryption.public_key(path) for path in readers]
    holder_keys = [
        (path.name.removesuffix(".pub"), encryption.public_key(path)) for path in holders
    ]
    _require_two_holders(holder_keys)
    if custody_directory.resolve().is_relative_to(directory.resolve()):
        raise OperatorError(
            f"{custody_directory} terletak di dalam {directory}: kunci disimpan terpisah dari "
            "data.",
            f"{custody_directory} is inside {directory}: store the keys apart from the data.",
        )
    url = find_server_url()
    platform_checks.require_space(directory, _SPACE_MIB)
    for folder in (directory, custody_directory):
        _require_writable(folder)
    report = asyncio.run(_make_backup(url, directory, recipients, custody_directory, holder_keys))
    if as_json:
        print_json(report)
    else:
        _print_report(report)
    return 0


def _require_two_holders(holders: Sequence[tuple[str, x25519.Recipient]]) -> None:
    """Raise OperatorError unless these are two keys with two names, which name the share files."""
    keys = {encryption.name_of(public) for _, public in holders}
    if len(keys) != key_custody.HOLDER_COUNT:
        raise OperatorError(
            "Kunci dipegang dua orang: berikan --holder dua kali, dua kunci yang berbeda.",
            "Two people hold the keys: give --holder twice, two different keys.",
        )
    if len({name for name, _ in holders}) != key_custody.HOLDER_COUNT:
        raise OperatorError(
            "Kedua kunci pemegang bernama sama: beri kedua berkasnya nama yang berbeda.",
            "Both holders' keys have the same name: give the two files different names.",
        )


def _print_report(report: dict[str, Any]) -> None:
    size = f"{report['bytes'] // platform_checks.MIB} MiB"
    print_text(
        choose(
            f"Cadangan {report['backup']}: {report['documents']} dokumen, {size} dalam "
            f"{report['seconds']} detik.",
            f"Backup {report['backup']}: {report['documents']} documents, {size} in "
            f"{report['seconds']} seconds.",
        )
    )
    print_text(
        choose(
            f"Keadaan pukul {report['cluster_time_at']}. Kunci ({report['keys']}) terpisah di "
            f"{report['custody']}, dengan bagian kunci di sampingnya: serahkan kepada kedua "
            "pemegangnya.",
            f"State at {report['cluster_time_at']}. The keys ({report['keys']}) are apart in "
            f"{report['custody']}, with the shares beside it: hand them to the two holders.",
        )
    )
    if not report["history_extended"]:
        print_text(
            choose(
                "MongoDB tidak mengizinkan memperpanjang riwayat snapshot: cadangan yang lebih "
                "lama dari minSnapshotHistoryWindowInSeconds akan gagal.",
                "MongoDB does not permit a longer snapshot history: a backup that takes longer "
                "than minSnapshotHistoryWindowInSeconds will fail.",
            )
        )


def _require_writable(folder: Path) -> None:
    """Create the folder if it is missing. Raises OperatorError unless files can be made there."""
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OperatorError(
            f"{folder} tidak dapat ditulisi oleh pengguna {os.getuid()}.",
            f"User {os.getuid()} cannot write into {folder}.",
        )


def find_server_url() -> str:
    """Return the administrator's URL of this installation's MongoDB.

    Raises OperatorError when no server is named and none runs here.
    """
    state_dir.adopt_runner_variables()
    if url := mongo_login.configured_url():
        return url
    if state_dir.runner_pid() is None:
        raise OperatorError(
            "Bina tidak berjalan: jalankan ./bina up, atau beri BINA_MONGO_URL.",
            "Bina is not running: run ./bina up, or set BINA_MONGO_URL.",
        )
    return mongo_users.administrator_url(
        f"{platform_checks.LOOPBACK}:{topology.MONGOD.port}",
        secrets.administrator_password(state_dir.path() / "secrets"),
    )


@dataclass(slots=True)
class PieceWriter:
    """Writes the pieces of one backup and lists them for the manifest."""

    directory: Path
    readers: Sequence[x25519.Recipient]
    pieces: list[Piece] = field(default_factory=list[Piece])

    async def write(self, service: str, collection: str, documents: list[bytes]) -> None:
        """Compress, encrypt, hash and write the next piece, in a thread."""
        number = len(self.pieces)
        self.pieces.append(
            await asyncio.to_thread(self._write, number, service, collection, documents)
        )

    def _write(self, number: int, service: str, collection: str, documents: list[bytes]) -> Piece:
        content = zlib.compress(b"".join(documents), _COMPRESSION_LEVEL)
        encrypted = encryption.encrypt(content, self.readers)
        piece = Piece(
            number=number,
            service=service,
            collection=collection,
            documents=len(documents),
            size=sum(map(len, documents)),
            sha256=hash_bytes(encrypted),
        )
        file = self.directory / piece.file
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as out:
            out.write(encrypted)
            out.flush()
            os.fsync(out.fileno())
        return piece


async def _make_backup(
    url: str,
    directory: Path,
    readers: Sequence[x25519.Recipient],
    custody_directory: Path,
    holders: Sequence[tuple[str, x25519.Recipient]],
) -> dict[str, Any]:
    clock = asyncio.get_running_loop().time
    started = clock()
    made_at = utc_now()
    id_ = f"bina-{made_at:%Y%m%dT%H%M%S%f}"[:-3] + "Z"
    draft = directory / f".{id_}"
    draft.mkdir(mode=0o700, parents=True)
    writer = PieceWriter(draft, readers)
    databases = {
        service.name: Mongo(url, service.name, "pymongo", app="bina-backup")
        for service in topology.PROCESSES
    }
    try:
        time, version, is_extended = await _read_with_progress(url, databases, writer)
        # After the data, so that every key that the data names exists by now.
        keys = key_custody.collect_keys(state_dir.path(), await _issuers(databases))
        custody_file = key_custody.write_custody(custody_directory, id_, keys, holders)
        content = {
            "format": FORMAT,
            "id": id_,
            "made_at": made_at.isoformat(),
            "cluster_time": [time.time, time.inc],
            "cluster_time_at": datetime.fromtimestamp(time.time, UTC).isoformat(),
            "bina": _version(),
            "mongodb": version,
            "services": list(databases),
            "keys": key_custody.fingerprints(keys),
            "readers": [encryption.name_of(public) for public in readers],
            "count": len(writer.pieces),
            "pieces": [asdict(piece) for piece in writer.pieces],
        }
        Manifest(content).write(draft, keys[SIGNING_KEY])
        for database in databases.values():
            await server_actions.record_action(database, backup_age.ACTION, id_)
    except BaseException as error:
        shutil.rmtree(draft)
        key_custody.remove_custody(custody_directory, id_)
        if isinstance(error, MongoError):
            raise _interrupted(error) from error
        raise
    finally:
        for database in databases.values():
            await database.close()
    finished = directory / id_
    draft.rename(finished)
    return {
        "backup": str(finished),
        "id": id_,
        "custody": str(custody_file),
        "cluster_time_at": content["cluster_time_at"],
        "pieces": len(writer.pieces),
        "documents": sum(piece.documents for piece in writer.pieces),
        "bytes": sum(path.stat().st_size for path in finished.rglob("*") if path.is_file()),
        "keys": len(keys),
        "history_extended": is_extended,
        "seconds": round(clock() - started, 1),
    }


async def _read_with_progress(
    url: str, databases: dict[str, Mongo], writer: PieceWriter
) -> tuple[Any, str, bool]:
    """Write all pieces.

    Returns the cluster time, the server's version, and whether its snapshot history was extended.
    """
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        async with (
            mongo_users.open_admin_database(url) as admin,
            extend_history(admin) as is_extended,
        ):
            time, version = await read_databases(databases, admin, writer.write, progress)
    return time, version, is_extended


async def _issuers(databases: dict[str, Mongo]) -> list[tuple[str, str]]:
    """Return the keys of certificate issuers that the data names, as (LSP, key name)."""
    lsps = await databases["certification"].find("lsps", {}, fields={"keys.name": 1})
    return [(lsp["_id"], key["name"]) for lsp in lsps for key in lsp.get("keys", ())]


def _version() -> str:
    return str(tomllib.loads((state_dir.ROOT / "pyproject.toml").read_text())["project"]["version"])


def _interrupted(error: MongoError) -> OperatorError:
    kind = type(error).__name__
    return OperatorError(
        f"Pencadangan terputus ({kind}): tidak ada cadangan yang dibuat. Perbaiki server atau hak "
        "penggunanya, lalu ulangi.",
        f"The backup was interrupted ({kind}): no backup was made. Repair the server or its "
        "user's rights, then try again.",
    )
