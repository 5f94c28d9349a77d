"""The command `restore`: everything is verified before anything is touched; then all databases, topics and keys together. Not here: how data is mended, topics are made anew."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from rich.console import Console
from rich.progress import Progress

from chassis.ids import utc_now
from chassis.messaging import kafka
from chassis.messaging.kafka import Access, KafkaUnavailable
from chassis.messaging.outbox_relay import LIVING
from chassis.persistence.mongo import RAW, Mongo, MongoError
from ops.audit import server_actions
from ops.backup import encryption, key_custody, manifest, topic_rebuild
from ops.backup.encryption import Chest, NotForUs
from ops.backup.manifest import Manifest, Piece
from ops.backup.restore_fixups import mend
from ops.errors import Trouble
from ops.json_output import tell
from ops.local import (
    kafka_broker,
    kafka_login,
    mongo_login,
    mongo_users,
    mongod,
    platform_checks,
    processes,
    secret_files,
    state_dir,
    topology,
)
from ops.local import secrets as local_secrets

_INSERT_BYTES = 8 * platform_checks.MIB
_LENGTH_BYTES = 4
_NOT_ALLOWED = 29  # TOPIC_AUTHORIZATION_FAILED, as Kafka's protocol numbers it
DELETING_SECONDS = 60.0  # far beyond what a broker needs that is allowed to


def restore(
    place: Path,
    reader: Path,
    kept: Path | None,
    holders: Sequence[Path],
    service: str | None,
    *,
    replace: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Verify a backup and, unless it is a dry run, put it in the place of what is here; 0."""
    if service is not None:
        raise Trouble(
            f"{service} saja tidak dipulihkan ke masa lalu: layanan lain memegang akibat peristiwa yang tidak lagi dikenalnya. Pulihkan semua bersama (tanpa --service).",
            f"{service} alone is not restored to the past: the others hold effects of events that it would no longer know. Restore all together (without --service).",
        )
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        whole, chest = _verified(place, encryption.private_key(reader), kept, holders, progress)
        found, keys = whole
        told = _about(found)
        if not dry_run:
            with state_dir.sole_runner() as alone:
                if not alone:
                    raise Trouble(
                        "Bina sedang berjalan: hentikan dengan ./bina down.",
                        "Bina is running: stop it by ./bina down.",
                    )
                told |= asyncio.run(_restored(place, found, keys, chest, progress, replace=replace))
    if as_json:
        tell(told | {"dry_run": dry_run})
        return 0
    out = Console(highlight=False, soft_wrap=True, markup=False)
    out.print(
        f"Cadangan {found.id} utuh: {told['documents']} dokumen dari {len(topology.OURS)} basis data, keadaan pukul {told['cluster_time_at']}, {told['keys']} kunci cocok."
    )
    if dry_run:
        out.print("Tidak ada yang diubah (--dry-run).")
    else:
        out.print(
            f"Dipulihkan dalam {told['seconds']} detik; {told['published']} peristiwa diterbitkan lagi. Jalankan ./bina up, lalu ./bina audit verify."
        )
    return 0


def _about(found: Manifest) -> dict[str, Any]:
    counts = {service: counted.total() for service, counted in found.counts().items()}
    return {
        "id": found.id,
        "cluster_time_at": found.told["cluster_time_at"],
        "services": counts,
        "documents": sum(counts.values()),
        "keys": len(found.keys),
    }


# Before anything is touched


def _verified(
    place: Path,
    reader: X25519PrivateKey,
    kept: Path | None,
    holders: Sequence[Path],
    progress: Progress,
) -> tuple[tuple[Manifest, dict[str, bytes]], Chest]:
    """The manifest, the keys and the backup's own key, when all of it is whole, ours and complete. Trouble otherwise."""
    found, content, signature = manifest.read(place)
    key_custody.require(found.keys, None) if kept is None else None
    keys = (
        key_custody.opened(kept, [encryption.private_key(path) for path in holders]) if kept else {}
    )
    key_custody.require(found.keys, keys)
    manifest.require_signed(place, content, signature, keys)
    chest = _opened(found, reader)
    for piece in progress.track(list(found.pieces()), description="Memeriksa cadangan"):
        read_piece(place, found, piece, chest)
    return (found, {name: keys[name] for name in found.keys}), chest


def _opened(found: Manifest, reader: X25519PrivateKey) -> Chest:
    name = encryption.name_of(reader.public_key())
    try:
        return Chest(encryption.open_with(reader, found.readers[name], f"backup/{found.id}"))
    except (KeyError, NotForUs) as error:
        raise Trouble(
            f"Kunci {name} tidak dapat membuka cadangan ini: ia dibuat untuk kunci {', '.join(found.readers)}.",
            f"Key {name} does not open this backup: it was made for {', '.join(found.readers)}.",
        ) from error


def read_piece(place: Path, found: Manifest, piece: Piece, chest: Chest) -> list[bytes]:
    """The documents of one piece. Trouble that names it when it is missing, damaged or not what the manifest says."""
    try:
        sealed = (place / piece.file).read_bytes()
    except OSError as error:
        raise Trouble(
            f"Potongan {piece.file} ({piece.service}.{piece.collection}) dari cadangan {found.id} tidak ada: cadangan ini tidak dipakai, tidak ada yang disentuh.",
            f"Piece {piece.file} of backup {found.id} is missing: it is not used, nothing was touched.",
        ) from error
    try:
        content = (
            zlib.decompress(chest.open(sealed, piece.number, piece.place(found.id)))
            if manifest.sha256(sealed) == piece.sha256
            else b""
        )
        documents = list(_documents(content))
    except (NotForUs, zlib.error):
        content, documents = b"", []
    if (len(documents), len(content)) != (piece.documents, piece.size):  # no piece is empty
        raise Trouble(
            f"Potongan {piece.file} ({piece.service}.{piece.collection}) dari cadangan {found.id} rusak atau diubah: cadangan ini tidak dipakai, tidak ada yang disentuh.",
            f"Piece {piece.file} of backup {found.id} is damaged or changed: it is not used, nothing was touched.",
        )
    return documents


def _documents(content: bytes) -> Iterator[bytes]:
    """BSON documents stand one behind the other, each with its length in front."""
    at = 0
    while at < len(content):
        size = int.from_bytes(content[at : at + _LENGTH_BYTES], "little")
        if size <= _LENGTH_BYTES:
            raise NotForUs
        yield content[at : at + size]
        at += size


# All together


async def _restored(
    place: Path,
    found: Manifest,
    keys: dict[str, bytes],
    chest: Chest,
    progress: Progress,
    *,
    replace: bool,
) -> dict[str, Any]:
    loop, here = asyncio.get_running_loop(), state_dir.home()
    began = loop.time()
    async with _servers() as (url, where), AsyncExitStack() as stack:
        databases = {
            service.name: Mongo(url, service.name, "pymongo", app="bina-restore")
            for service in topology.OURS
        }
        for database in databases.values():
            stack.push_async_callback(database.close)
        try:
            await _require_place(databases, where, replace=replace)
            secret_files.write(here / secret_files.UNFINISHED, found.id)
            await emptied(databases, where)
            await _filled(place, found, chest, databases, progress)
            published = await _made_true(found, databases, where, progress)
        except (MongoError, KafkaUnavailable) as error:
            raise Trouble(
                f"Pemulihan terputus ({type(error).__name__}); keadaan di sini belum utuh. Perbaiki server, lalu ulangi dengan --replace.",
                f"The restore was interrupted ({type(error).__name__}); what is here is not whole. Mend the servers, then try again with --replace.",
            ) from error
        key_custody.put(here, keys, here / f"replaced-{utc_now():%Y%m%dT%H%M%S}")
        secrets = here / "secrets"
        local_secrets.make(secrets)
        for service in topology.OURS:
            local_secrets.tell_mongo_url(
                secrets,
                service.name,
                await mongo_users.make_user(
                    url, service.name, local_secrets.mongo_password(secrets, service.name)
                ),
            )
        (here / secret_files.UNFINISHED).unlink()
    return {"published": published, "seconds": round(loop.time() - began, 1)}


@asynccontextmanager
async def _servers() -> AsyncGenerator[tuple[str, Access]]:
    """The administrator's URL of MongoDB and the way into Kafka: those that are named, else the embedded ones for as long as the block."""
    async with AsyncExitStack() as stack:
        url, where = mongo_login.named(), kafka_login.named()
        if not url:
            password = local_secrets.administrator_password(state_dir.home() / "secrets")
            server = await mongod.start(
                state_dir.home() / "mongod",
                topology.MONGOD.port,
                password,
                state_dir.log_of("mongod"),
                variable=topology.MONGOD.variable,
            )
            stack.callback(processes.end, server.process)
            url = server.url
        if where is None:
            running = await kafka_broker.start(
                state_dir.home() / "kafka",
                topology.KAFKA.port,
                topology.KAFKA_CONTROLLER.port,
                state_dir.log_of("kafka"),
                variable=topology.KAFKA.variable,
            )
            stack.callback(processes.end, running.process)
            where = Access(running.bootstrap)
        yield url, where


async def _require_place(databases: dict[str, Mongo], where: Access, *, replace: bool) -> None:
    """Trouble unless nothing runs on these servers and either nothing lies there or it may be replaced."""
    there = {name: set(await database.collections()) for name, database in databases.items()}
    elsewhere = (
        mongo_login.named() is not None
    )  # on our own servers nothing can run: we have just started them
    if running := [
        name
        for name, database in databases.items()
        if elsewhere and "leases" in there[name] and await database.count("leases", LIVING)
    ]:
        raise Trouble(
            f"Layanan {', '.join(running)} masih berjalan pada server ini (atau berhenti kurang dari 20 detik yang lalu): hentikan semua layanan, lalu ulangi.",
            f"{', '.join(running)} still run on these servers (or ended less than 20 seconds ago): stop all services, then try again.",
        )
    full = [f"basis data {name}" for name, collections in there.items() if collections]
    full += [f"topik {name}" for name in sorted(_topics() & await _there(where))]
    full += [f"kunci {name}" for name in list(key_custody.found(state_dir.home()))[:1]]
    if full and not replace:
        raise Trouble(
            f"Tempat ini tidak kosong ({', '.join(full)}): tidak ada yang disentuh. Bila isinya memang harus diganti seluruhnya, ulangi dengan --replace.",
            "This place is not empty (listed above): nothing was touched. If all of it is to be replaced, try again with --replace.",
        )


async def _there(where: Access) -> set[str]:
    async with kafka_login.asking(where), kafka.administering(where) as admin:
        return set(await admin.list_topics())


def _topics() -> set[str]:
    return {f"{service.name}.events" for service in topology.OURS}


async def emptied(databases: dict[str, Mongo], where: Access) -> None:
    """Away with what is here: a topic that knows of later facts would bring effects without a cause. Trouble where Kafka keeps a topic; all data is still there then."""
    async with kafka_login.asking(where), kafka.administering(where) as admin:
        if old := _topics() & set(await admin.list_topics()):
            refused = {
                code
                for _, code in (await admin.delete_topics(sorted(old))).topic_error_codes
                if code
            }
            if _NOT_ALLOWED in refused:
                raise kafka_login.not_allowed(where, "delete")
            if refused:
                raise _kept(old)
        try:
            async with asyncio.timeout(DELETING_SECONDS):
                while _topics() & set(await admin.list_topics()):  # noqa: ASYNC110 - it is the broker that is asked
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise _kept(old) from None
    async with kafka_login.asking(where):
        for topic in sorted(_topics()):
            await kafka.ensure_topic(where, topic)
    for database in databases.values():
        await database.drop()


def _kept(topics: set[str]) -> Trouble:
    return Trouble(
        f"Kafka tidak menghapus topik {', '.join(sorted(topics))}; basis data belum disentuh. Izinkan (delete.topic.enable, hak pengguna), lalu ulangi dengan --replace.",
        f"Kafka does not delete {', '.join(sorted(topics))}; no database was touched. Allow it (delete.topic.enable, the user's rights), then try again with --replace.",
    )


async def _filled(
    place: Path, found: Manifest, chest: Chest, databases: dict[str, Mongo], progress: Progress
) -> None:
    for piece in progress.track(list(found.pieces()), description="Memulihkan basis data"):
        for group in _groups(await asyncio.to_thread(read_piece, place, found, piece, chest)):
            await databases[piece.service].insert(
                piece.collection, [RAW.document_class(one) for one in group]
            )


def _groups(documents: list[bytes]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    size = 0
    for document in documents:
        if group and size + len(document) > _INSERT_BYTES:
            yield group
            group, size = [], 0
        group.append(document)
        size += len(document)
    yield group


async def _made_true(
    found: Manifest, databases: dict[str, Mongo], where: Access, progress: Progress
) -> int:
    """Count, mend, note and publish; how many events were published again."""
    now, until, published = utc_now(), datetime.fromisoformat(found.told["cluster_time_at"]), 0
    for service, counted in found.counts().items():
        for collection, documents in counted.items():
            if (here := await databases[service].count(collection, {})) != documents:
                raise Trouble(
                    f"{service}.{collection}: {here} dokumen dipulihkan, seharusnya {documents}. Ulangi dengan --replace.",
                    f"{service}.{collection}: {here} documents were restored, not {documents}. Try again with --replace.",
                )
    bar = progress.add_task("Menerbitkan lagi peristiwa", total=None)
    for service, database in databases.items():
        await mend(database, now)
        published += await topic_rebuild.publish(
            database, service, where, until, lambda count: progress.advance(bar, count)
        )
        await server_actions.note(database, "backup.restored", found.id)
    return published
