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
from chassis.messaging.kafka import BrokerAccess, KafkaUnavailable
from chassis.messaging.outbox_relay import LIVING
from chassis.persistence.mongo import RAW, Mongo, MongoError
from ops.audit import server_actions
from ops.backup import encryption, key_custody, manifest, topic_rebuild
from ops.backup.encryption import Chest, NotForUs
from ops.backup.manifest import Manifest, Piece
from ops.backup.restore_fixups import fix_up_database
from ops.errors import OperatorError
from ops.json_output import print_json
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
_TOPIC_AUTHORIZATION_FAILED = 29  # TOPIC_AUTHORIZATION_FAILED, as Kafka's protocol numbers it
TOPIC_DELETION_SECONDS = 60.0  # far beyond what a broker needs that is allowed to


def restore(
    directory: Path,
    reader: Path,
    custody_file: Path | None,
    holders: Sequence[Path],
    service: str | None,
    *,
    replace: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Verify a backup and, unless it is a dry run, put it in the place of what is here; 0."""
    if service is not None:
        raise OperatorError(
            f"{service} saja tidak dipulihkan ke masa lalu: layanan lain memegang akibat peristiwa yang tidak lagi dikenalnya. Pulihkan semua bersama (tanpa --service).",
            f"{service} alone is not restored to the past: the others hold effects of events that it would no longer know. Restore all together (without --service).",
        )
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        whole, chest = _verify_backup(
            directory, encryption.private_key(reader), custody_file, holders, progress
        )
        found, keys = whole
        told = _summarise(found)
        if not dry_run:
            with state_dir.claim_runner() as alone:
                if not alone:
                    raise OperatorError(
                        "Bina sedang berjalan: hentikan dengan ./bina down.",
                        "Bina is running: stop it by ./bina down.",
                    )
                told |= asyncio.run(
                    _restore_everything(directory, found, keys, chest, progress, replace=replace)
                )
    if as_json:
        print_json(told | {"dry_run": dry_run})
        return 0
    out = Console(highlight=False, soft_wrap=True, markup=False)
    out.print(
        f"Cadangan {found.id} utuh: {told['documents']} dokumen dari {len(topology.PROCESSES)} basis data, keadaan pukul {told['cluster_time_at']}, {told['keys']} kunci cocok."
    )
    if dry_run:
        out.print("Tidak ada yang diubah (--dry-run).")
    else:
        out.print(
            f"Dipulihkan dalam {told['seconds']} detik; {told['published']} peristiwa diterbitkan lagi. Jalankan ./bina up, lalu ./bina audit verify."
        )
    return 0


def _summarise(backup: Manifest) -> dict[str, Any]:
    counts = {service: counted.total() for service, counted in backup.count_documents().items()}
    return {
        "id": backup.id,
        "cluster_time_at": backup.content["cluster_time_at"],
        "services": counts,
        "documents": sum(counts.values()),
        "keys": len(backup.keys),
    }


# Before anything is touched


def _verify_backup(
    directory: Path,
    reader: X25519PrivateKey,
    custody_file: Path | None,
    holders: Sequence[Path],
    progress: Progress,
) -> tuple[tuple[Manifest, dict[str, bytes]], Chest]:
    """The manifest, the keys and the backup's own key, when all of it is whole, ours and complete. OperatorError otherwise."""
    found, content, signature = manifest.read_manifest(directory)
    key_custody.require_keys(found.keys, None) if custody_file is None else None
    keys = (
        key_custody.open_custody_file(
            custody_file, [encryption.private_key(path) for path in holders]
        )
        if custody_file
        else {}
    )
    key_custody.require_keys(found.keys, keys)
    manifest.require_signature(directory, content, signature, keys)
    chest = _open_backup_key(found, reader)
    for piece in progress.track(list(found.read_pieces()), description="Memeriksa cadangan"):
        read_piece(directory, found, piece, chest)
    return (found, {name: keys[name] for name in found.keys}), chest


def _open_backup_key(backup: Manifest, reader: X25519PrivateKey) -> Chest:
    name = encryption.name_of(reader.public_key())
    try:
        return Chest(encryption.open_with(reader, backup.readers[name], f"backup/{backup.id}"))
    except (KeyError, NotForUs) as error:
        raise OperatorError(
            f"Kunci {name} tidak dapat membuka cadangan ini: ia dibuat untuk kunci {', '.join(backup.readers)}.",
            f"Key {name} does not open this backup: it was made for {', '.join(backup.readers)}.",
        ) from error


def read_piece(directory: Path, backup: Manifest, piece: Piece, chest: Chest) -> list[bytes]:
    """The documents of one piece. OperatorError that names it when it is missing, damaged or not what the manifest says."""
    try:
        sealed = (directory / piece.file).read_bytes()
    except OSError as error:
        raise OperatorError(
            f"Potongan {piece.file} ({piece.service}.{piece.collection}) dari cadangan {backup.id} tidak ada: cadangan ini tidak dipakai, tidak ada yang disentuh.",
            f"Piece {piece.file} of backup {backup.id} is missing: it is not used, nothing was touched.",
        ) from error
    try:
        content = (
            zlib.decompress(chest.open(sealed, piece.number, piece.sealing_context(backup.id)))
            if manifest.hash_bytes(sealed) == piece.sha256
            else b""
        )
        documents = list(_split_documents(content))
    except (NotForUs, zlib.error):
        content, documents = b"", []
    if (len(documents), len(content)) != (piece.documents, piece.size):  # no piece is empty
        raise OperatorError(
            f"Potongan {piece.file} ({piece.service}.{piece.collection}) dari cadangan {backup.id} rusak atau diubah: cadangan ini tidak dipakai, tidak ada yang disentuh.",
            f"Piece {piece.file} of backup {backup.id} is damaged or changed: it is not used, nothing was touched.",
        )
    return documents


def _split_documents(content: bytes) -> Iterator[bytes]:
    """BSON documents stand one behind the other, each with its length in front."""
    at = 0
    while at < len(content):
        size = int.from_bytes(content[at : at + _LENGTH_BYTES], "little")
        if size <= _LENGTH_BYTES:
            raise NotForUs
        yield content[at : at + size]
        at += size


# All together


async def _restore_everything(
    directory: Path,
    backup: Manifest,
    keys: dict[str, bytes],
    chest: Chest,
    progress: Progress,
    *,
    replace: bool,
) -> dict[str, Any]:
    loop, here = asyncio.get_running_loop(), state_dir.path()
    began = loop.time()
    async with _open_servers() as (url, where), AsyncExitStack() as stack:
        databases = {
            service.name: Mongo(url, service.name, "pymongo", app="bina-restore")
            for service in topology.PROCESSES
        }
        for database in databases.values():
            stack.push_async_callback(database.close)
        try:
            await _require_restorable(databases, where, replace=replace)
            secret_files.write_private(here / secret_files.UNFINISHED_RESTORE, backup.id)
            await delete_existing_data(databases, where)
            await _insert_documents(directory, backup, chest, databases, progress)
            published = await _finish_restore(backup, databases, where, progress)
        except (MongoError, KafkaUnavailable) as error:
            raise OperatorError(
                f"Pemulihan terputus ({type(error).__name__}); keadaan di sini belum utuh. Perbaiki server, lalu ulangi dengan --replace.",
                f"The restore was interrupted ({type(error).__name__}); what is here is not whole. Mend the servers, then try again with --replace.",
            ) from error
        key_custody.install_keys(here, keys, here / f"replaced-{utc_now():%Y%m%dT%H%M%S}")
        secrets = here / "secrets"
        local_secrets.make_secrets(secrets)
        for service in topology.PROCESSES:
            local_secrets.write_mongo_url(
                secrets,
                service.name,
                await mongo_users.make_user(
                    url, service.name, local_secrets.mongo_password(secrets, service.name)
                ),
            )
        (here / secret_files.UNFINISHED_RESTORE).unlink()
    return {"published": published, "seconds": round(loop.time() - began, 1)}


@asynccontextmanager
async def _open_servers() -> AsyncGenerator[tuple[str, BrokerAccess]]:
    """The administrator's URL of MongoDB and the way into Kafka: those that are named, else the embedded ones for as long as the block."""
    async with AsyncExitStack() as stack:
        url, where = mongo_login.configured_url(), kafka_login.configured_access()
        if not url:
            password = local_secrets.administrator_password(state_dir.path() / "secrets")
            server = await mongod.start(
                state_dir.path() / "mongod",
                topology.MONGOD.port,
                password,
                state_dir.log_path("mongod"),
                variable=topology.MONGOD.variable,
            )
            stack.callback(processes.end, server.process)
            url = server.url
        if where is None:
            running = await kafka_broker.start(
                state_dir.path() / "kafka",
                topology.KAFKA.port,
                topology.KAFKA_CONTROLLER.port,
                state_dir.log_path("kafka"),
                variable=topology.KAFKA.variable,
            )
            stack.callback(processes.end, running.process)
            where = BrokerAccess(running.bootstrap)
        yield url, where


async def _require_restorable(
    databases: dict[str, Mongo], broker_access: BrokerAccess, *, replace: bool
) -> None:
    """OperatorError unless nothing runs on these servers and either nothing lies there or it may be replaced."""
    there = {name: set(await database.collections()) for name, database in databases.items()}
    elsewhere = (
        mongo_login.configured_url() is not None
    )  # on our own servers nothing can run: we have just started them
    if running := [
        name
        for name, database in databases.items()
        if elsewhere and "leases" in there[name] and await database.count("leases", LIVING)
    ]:
        raise OperatorError(
            f"Layanan {', '.join(running)} masih berjalan pada server ini (atau berhenti kurang dari 20 detik yang lalu): hentikan semua layanan, lalu ulangi.",
            f"{', '.join(running)} still run on these servers (or ended less than 20 seconds ago): stop all services, then try again.",
        )
    full = [f"basis data {name}" for name, collections in there.items() if collections]
    full += [
        f"topik {name}" for name in sorted(_expected_topics() & await _list_topics(broker_access))
    ]
    full += [f"kunci {name}" for name in list(key_custody.find_keys(state_dir.path()))[:1]]
    if full and not replace:
        raise OperatorError(
            f"Tempat ini tidak kosong ({', '.join(full)}): tidak ada yang disentuh. Bila isinya memang harus diganti seluruhnya, ulangi dengan --replace.",
            "This place is not empty (listed above): nothing was touched. If all of it is to be replaced, try again with --replace.",
        )


async def _list_topics(broker_access: BrokerAccess) -> set[str]:
    async with (
        kafka_login.explaining_refusals(broker_access),
        kafka.administering(broker_access) as admin,
    ):
        return set(await admin.list_topics())


def _expected_topics() -> set[str]:
    return {f"{service.name}.events" for service in topology.PROCESSES}


async def delete_existing_data(databases: dict[str, Mongo], broker_access: BrokerAccess) -> None:
    """Away with what is here: a topic that knows of later facts would bring effects without a cause. OperatorError where Kafka keeps a topic; all data is still there then."""
    async with (
        kafka_login.explaining_refusals(broker_access),
        kafka.administering(broker_access) as admin,
    ):
        if old := _expected_topics() & set(await admin.list_topics()):
            refused = {
                code
                for _, code in (await admin.delete_topics(sorted(old))).topic_error_codes
                if code
            }
            if _TOPIC_AUTHORIZATION_FAILED in refused:
                raise kafka_login.not_allowed_error(broker_access, "delete")
            if refused:
                raise _topics_not_deleted(old)
        try:
            async with asyncio.timeout(TOPIC_DELETION_SECONDS):
                while _expected_topics() & set(await admin.list_topics()):  # noqa: ASYNC110 - it is the broker that is asked
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise _topics_not_deleted(old) from None
    async with kafka_login.explaining_refusals(broker_access):
        for topic in sorted(_expected_topics()):
            await kafka.ensure_topic(broker_access, topic)
    for database in databases.values():
        await database.drop()


def _topics_not_deleted(topics: set[str]) -> OperatorError:
    return OperatorError(
        f"Kafka tidak menghapus topik {', '.join(sorted(topics))}; basis data belum disentuh. Izinkan (delete.topic.enable, hak pengguna), lalu ulangi dengan --replace.",
        f"Kafka does not delete {', '.join(sorted(topics))}; no database was touched. Allow it (delete.topic.enable, the user's rights), then try again with --replace.",
    )


async def _insert_documents(
    directory: Path, backup: Manifest, chest: Chest, databases: dict[str, Mongo], progress: Progress
) -> None:
    for piece in progress.track(list(backup.read_pieces()), description="Memulihkan basis data"):
        for group in _group_by_size(
            await asyncio.to_thread(read_piece, directory, backup, piece, chest)
        ):
            await databases[piece.service].insert(
                piece.collection, [RAW.document_class(one) for one in group]
            )


def _group_by_size(documents: list[bytes]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    size = 0
    for document in documents:
        if group and size + len(document) > _INSERT_BYTES:
            yield group
            group, size = [], 0
        group.append(document)
        size += len(document)
    yield group


async def _finish_restore(
    backup: Manifest, databases: dict[str, Mongo], broker_access: BrokerAccess, progress: Progress
) -> int:
    """Count, mend, note and publish; how many events were published again."""
    now, until, published = utc_now(), datetime.fromisoformat(backup.content["cluster_time_at"]), 0
    for service, counted in backup.count_documents().items():
        for collection, documents in counted.items():
            if (here := await databases[service].count(collection, {})) != documents:
                raise OperatorError(
                    f"{service}.{collection}: {here} dokumen dipulihkan, seharusnya {documents}. Ulangi dengan --replace.",
                    f"{service}.{collection}: {here} documents were restored, not {documents}. Try again with --replace.",
                )
    bar = progress.add_task("Menerbitkan lagi peristiwa", total=None)
    for service, database in databases.items():
        await fix_up_database(database, now)
        published += await topic_rebuild.rebuild_topic(
            database, service, broker_access, until, lambda count: progress.advance(bar, count)
        )
        await server_actions.record_action(database, "backup.restored", backup.id)
    return published
