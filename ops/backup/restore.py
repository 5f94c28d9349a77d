"""The command `restore`: a verified backup replaces all databases, topics and keys together.

Everything is verified before anything is changed (verify). Not here: changes to restored data
(restore_fixups), and filling the topics (topic_rebuild).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from pyrage import x25519
from rich.console import Console
from rich.progress import Progress

from chassis.ids import utc_now
from chassis.messaging import kafka_topics
from chassis.messaging.kafka_ports import BrokerAccess
from chassis.messaging.kafka_topics import KafkaUnavailable
from chassis.messaging.outbox_relay import LIVING
from chassis.persistence.mongo import RAW, Mongo, MongoError
from ops.audit import server_actions
from ops.backup import encryption, key_custody, topic_rebuild
from ops.backup.manifest import Manifest
from ops.backup.restore_fixups import fix_up_database
from ops.backup.verify import read_piece, verify_backup
from ops.errors import OperatorError
from ops.json_output import print_json
from ops.language import Bilingual, choose
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
from ops.text_output import print_text

# A broker that may delete topics needs far less.
TOPIC_DELETION_SECONDS = 60.0
_INSERT_BYTES = 8 * platform_checks.MIB
_TOPIC_AUTHORIZATION_FAILED = 29  # an error code of Kafka's protocol


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
    """Verify a backup and, unless it is a dry run, restore it; return 0."""
    if service is not None:
        raise OperatorError(
            f"{service} saja tidak dipulihkan ke masa lalu: layanan lain memegang akibat peristiwa "
            "yang tidak lagi dikenalnya. Pulihkan semua bersama (tanpa --service).",
            f"{service} alone is not restored to the past: the other services have effects of "
            "events that it would no longer know. Restore all together (without --service).",
        )
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        private = encryption.private_key(reader)
        backup, keys = verify_backup(directory, private, custody_file, holders, progress)
        report = _summarise(backup)
        if not dry_run:
            with state_dir.claim_runner() as is_alone:
                if not is_alone:
                    raise OperatorError(
                        "Bina sedang berjalan: hentikan dengan ./bina down.",
                        "Bina is running: stop it with ./bina down.",
                    )
                report |= asyncio.run(
                    _restore_everything(directory, backup, keys, private, progress, replace=replace)
                )
    if as_json:
        print_json(report | {"dry_run": dry_run})
    else:
        _print_report(report, dry_run=dry_run)
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


def _print_report(report: dict[str, Any], *, dry_run: bool) -> None:
    databases = len(topology.PROCESSES)
    print_text(
        choose(
            f"Cadangan {report['id']} utuh: {report['documents']} dokumen dari {databases} basis "
            f"data, keadaan pukul {report['cluster_time_at']}, {report['keys']} kunci cocok.",
            f"Backup {report['id']} is complete: {report['documents']} documents of {databases} "
            f"databases, state at {report['cluster_time_at']}, {report['keys']} keys fit.",
        )
    )
    if dry_run:
        print_text(choose("Tidak ada yang diubah (--dry-run).", "Nothing was changed (--dry-run)."))
        return
    print_text(
        choose(
            f"Dipulihkan dalam {report['seconds']} detik; {report['published']} peristiwa "
            "diterbitkan lagi. Jalankan ./bina up, lalu ./bina audit verify.",
            f"Restored in {report['seconds']} seconds; {report['published']} events published "
            "again. Run ./bina up, then ./bina audit verify.",
        )
    )


async def _restore_everything(
    directory: Path,
    backup: Manifest,
    keys: dict[str, bytes],
    private: x25519.Identity,
    progress: Progress,
    *,
    replace: bool,
) -> dict[str, Any]:
    clock = asyncio.get_running_loop().time
    started = clock()
    home = state_dir.path()
    async with _open_servers() as (url, broker_access), AsyncExitStack() as stack:
        databases = {
            service.name: Mongo(url, service.name, "pymongo", app="bina-restore")
            for service in topology.PROCESSES
        }
        for database in databases.values():
            stack.push_async_callback(database.close)
        try:
            await _require_restorable(databases, broker_access, replace=replace)
            secret_files.write_private(home / secret_files.UNFINISHED_RESTORE, backup.id)
            await delete_existing_data(databases, broker_access)
            await _insert_documents(directory, backup, private, databases, progress)
            published = await _finish_restore(backup, databases, broker_access, progress)
        except (MongoError, KafkaUnavailable) as error:
            kind = type(error).__name__
            raise OperatorError(
                f"Pemulihan terputus ({kind}); keadaan di sini belum utuh. Perbaiki server, lalu "
                "ulangi dengan --replace.",
                f"The restore was interrupted ({kind}); the data here is incomplete. Repair the "
                "servers, then try again with --replace.",
            ) from error
        key_custody.install_keys(home, keys, home / f"replaced-{utc_now():%Y%m%dT%H%M%S}")
        await _make_users(home / "secrets", url)
        (home / secret_files.UNFINISHED_RESTORE).unlink()
    return {"published": published, "seconds": round(clock() - started, 1)}


async def _make_users(secrets_directory: Path, url: str) -> None:
    """Make the secrets of this installation's servers, and each service's user in MongoDB."""
    local_secrets.make_secrets(secrets_directory)
    for service in topology.PROCESSES:
        password = local_secrets.mongo_password(secrets_directory, service.name)
        service_url = await mongo_users.make_user(url, service.name, password)
        local_secrets.write_mongo_url(secrets_directory, service.name, service_url)


@asynccontextmanager
async def _open_servers() -> AsyncGenerator[tuple[str, BrokerAccess]]:
    """Yield the administrator's URL of MongoDB and the access to Kafka.

    Uses the servers that variables name; otherwise the embedded ones run during the block.
    """
    async with AsyncExitStack() as stack:
        url = mongo_login.configured_url()
        broker_access = kafka_login.configured_access()
        if not url:
            server = await mongod.start(
                state_dir.path() / "mongod",
                topology.MONGOD.port,
                local_secrets.administrator_password(state_dir.path() / "secrets"),
                state_dir.log_path("mongod"),
                variable=topology.MONGOD.variable,
            )
            stack.callback(processes.end, server.process)
            url = server.url
        if broker_access is None:
            broker = await kafka_broker.start(
                state_dir.path() / "kafka",
                topology.KAFKA.port,
                topology.KAFKA_CONTROLLER.port,
                state_dir.log_path("kafka"),
                variable=topology.KAFKA.variable,
            )
            stack.callback(processes.end, broker.process)
            broker_access = BrokerAccess(broker.bootstrap)
        yield url, broker_access


async def _require_restorable(
    databases: dict[str, Mongo], broker_access: BrokerAccess, *, replace: bool
) -> None:
    """Raise OperatorError if services run here, or if there is data and `replace` is false."""
    collections = {name: set(await database.collections()) for name, database in databases.items()}
    # No service can run on embedded servers, which have just been started.
    if mongo_login.configured_url() is not None:
        await _require_no_running_service(databases, collections)
    if replace:
        return
    present = [
        Bilingual(f"basis data {name}", f"database {name}")
        for name, names in collections.items()
        if names
    ]
    topics = _expected_topics() & await _list_topics(broker_access)
    present += [Bilingual(f"topik {name}", f"topic {name}") for name in sorted(topics)]
    first_keys = list(key_custody.find_keys(state_dir.path()))[:1]
    present += [Bilingual(f"kunci {name}", f"key {name}") for name in first_keys]
    if present:
        indonesian = ", ".join(item.indonesian for item in present)
        english = ", ".join(item.english for item in present)
        raise OperatorError(
            f"Tempat ini tidak kosong ({indonesian}): tidak ada yang disentuh. Bila isinya "
            "memang harus diganti seluruhnya, ulangi dengan --replace.",
            f"This installation is not empty ({english}): nothing was changed. To replace all of "
            "it, try again with --replace.",
        )


async def _require_no_running_service(
    databases: dict[str, Mongo], collections: dict[str, set[str]]
) -> None:
    running = [
        name
        for name, database in databases.items()
        if "leases" in collections[name] and await database.count("leases", LIVING)
    ]
    if running:
        raise OperatorError(
            f"Layanan {', '.join(running)} masih berjalan pada server ini (atau berhenti kurang "
            "dari 20 detik yang lalu): hentikan semua layanan, lalu ulangi.",
            f"These services still run on the servers (or ended less than 20 seconds ago): "
            f"{', '.join(running)}. Stop all services, then try again.",
        )


async def _list_topics(broker_access: BrokerAccess) -> set[str]:
    async with (
        kafka_login.explaining_refusals(broker_access),
        kafka_topics.administering(broker_access) as admin,
    ):
        return set(await admin.list_topics())


def _expected_topics() -> set[str]:
    return {f"{service.name}.events" for service in topology.PROCESSES}


async def delete_existing_data(databases: dict[str, Mongo], broker_access: BrokerAccess) -> None:
    """Delete the topics and create them empty, then drop the databases.

    Events later than the backup would have effects although their commands are lost. Raises
    OperatorError when Kafka keeps a topic; no database has been dropped then.
    """
    async with (
        kafka_login.explaining_refusals(broker_access),
        kafka_topics.administering(broker_access) as admin,
    ):
        if old := _expected_topics() & set(await admin.list_topics()):
            answer = await admin.delete_topics(sorted(old))
            refused = {code for _, code in answer.topic_error_codes if code}
            if _TOPIC_AUTHORIZATION_FAILED in refused:
                raise kafka_login.not_allowed_error(broker_access, "delete")
            if refused:
                raise _topics_not_deleted(old)
        try:
            async with asyncio.timeout(TOPIC_DELETION_SECONDS):
                # Deletion is asynchronous, and Kafka has no notification of its end.
                while _expected_topics() & set(await admin.list_topics()):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise _topics_not_deleted(old) from None
    async with kafka_login.explaining_refusals(broker_access):
        for topic in sorted(_expected_topics()):
            await kafka_topics.ensure_topic(broker_access, topic)
    for database in databases.values():
        await database.drop()


def _topics_not_deleted(topics: set[str]) -> OperatorError:
    names = ", ".join(sorted(topics))
    return OperatorError(
        f"Kafka tidak menghapus topik {names}; basis data belum disentuh. Izinkan "
        "(delete.topic.enable, hak pengguna), lalu ulangi dengan --replace.",
        f"Kafka does not delete the topics {names}; no database was changed. Permit it "
        "(delete.topic.enable, the user's rights), then try again with --replace.",
    )


async def _insert_documents(
    directory: Path,
    backup: Manifest,
    private: x25519.Identity,
    databases: dict[str, Mongo],
    progress: Progress,
) -> None:
    description = choose("Memulihkan basis data", "Restoring databases")
    for piece in progress.track(list(backup.read_pieces()), description=description):
        documents = await asyncio.to_thread(read_piece, directory, backup, piece, private)
        for group in _group_by_size(documents):
            raw = [RAW.document_class(document) for document in group]
            await databases[piece.service].insert(piece.collection, raw)


def _group_by_size(documents: list[bytes]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    size = 0
    for document in documents:
        if group and size + len(document) > _INSERT_BYTES:
            yield group
            group = []
            size = 0
        group.append(document)
        size += len(document)
    yield group


async def _finish_restore(
    backup: Manifest, databases: dict[str, Mongo], broker_access: BrokerAccess, progress: Progress
) -> int:
    """Check the counts, fix up the data, fill the topics and write audit rows.

    Returns the number of events published again.
    """
    for service, counts in backup.count_documents().items():
        for collection, expected in counts.items():
            count = await databases[service].count(collection, {})
            if count != expected:
                raise OperatorError(
                    f"{service}.{collection}: {count} dokumen dipulihkan, seharusnya {expected}. "
                    "Ulangi dengan --replace.",
                    f"{service}.{collection}: {count} documents were restored, not {expected}. "
                    "Try again with --replace.",
                )
    now = utc_now()
    until = datetime.fromisoformat(backup.content["cluster_time_at"])
    published = 0
    publishing = choose("Menerbitkan lagi peristiwa", "Publishing events again")
    bar = progress.add_task(publishing, total=None)
    for service, database in databases.items():
        await fix_up_database(database, now)
        published += await topic_rebuild.rebuild_topic(
            database, service, broker_access, until, lambda count: progress.advance(bar, count)
        )
        await server_actions.record_action(database, "backup.restored", backup.id)
    return published
