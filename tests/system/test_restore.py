"""Backup and restore on existing servers, with a few documents of every kind.

Nothing is lost, and every interruption leaves a state from which a restore can continue.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Generator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit, urlunsplit

import pytest

from chassis.ids import utc_now
from chassis.messaging import kafka_topics
from chassis.messaging.kafka_ports import BrokerAccess
from ops.backup import encryption, key_custody, restore
from ops.local import (
    ephemeral_servers,
    kafka_broker,
    secret_files,
    secrets,
)
from tests.system.database_servers import (
    FilledInstallation,
    Servers,
    at,
    filled,
    kept,
    service_names,
    serving,
)
from tests.system.disaster import BackupHarness

pytestmark = [pytest.mark.timeout(200)]
ISSUER = "certification/keys_dir/lsp-1/assertion-2026.pem"
LOOKUP_KEY = "secrets/training/training_lookup_key"
SNAPSHOT_TOO_OLD = 239


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Generator[Servers]:
    with serving(tmp_path_factory.mktemp("servers")) as found:
        yield found


@pytest.fixture(scope="module")
def installation(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> FilledInstallation:
    shelf = tmp_path_factory.mktemp("shelf")
    operator = at(servers, tmp_path_factory.mktemp("lost") / "bina", shelf)
    home = operator.system.home
    secrets.make_secrets(home / "secrets")
    (home / ISSUER).parent.mkdir(parents=True)
    secret_files.write_private(home / ISSUER, "-----BEGIN PRIVATE KEY-----")
    filled(servers)
    report = servers.everything()
    return FilledInstallation(operator, servers, report, operator.backup())


# Nothing is lost


def test_every_document_and_every_key_is_restored_unchanged(
    installation: FilledInstallation, tmp_path: Path
) -> None:
    installation.servers.emptied()
    target = installation.target(tmp_path / "new")
    report = target.bina(*installation.operator.opening(installation.made))
    assert report["documents"] == sum(
        len(rows)
        for collections in installation.documents.values()
        for rows in collections.values()
    )
    now = installation.servers.everything()
    assert kept(now) == kept(installation.documents)
    for name in service_names():
        assert {row["_id"] for row in now[name]["audit"]} >= {"a"}
        assert [row["state"] for row in now[name]["inbox"]] == ["parked"]
        assert (
            now[name]["parked"][0]["first"]
            == now[name]["inbox"][0]["order"]
            < f"{name}.events/00003/{0:020d}"
        )
    assert key_custody.find_keys(target.system.home) == key_custody.find_keys(
        installation.operator.system.home
    )
    assert ISSUER in key_custody.find_keys(target.system.home)


# Incomplete backups


@pytest.mark.parametrize("allowed", [True, False])
def test_documented_rights_suffice_for_a_backup_and_short_history_warns(
    installation: FilledInstallation,
    tmp_path: Path,
    allowed: bool,  # noqa: FBT001
) -> None:
    operator = BackupHarness(installation.operator.system, tmp_path)
    name = f"keeper-{allowed}"
    with installation.servers.client() as client:
        rights: list[dict[str, Any]] = [
            {"resource": {"db": one, "collection": "audit"}, "actions": ["insert"]}
            for one in service_names()
        ]
        rights += (
            [{"resource": {"cluster": True}, "actions": ["getParameter", "setParameter"]}]
            if allowed
            else []
        )
        client.admin.command("createRole", name, privileges=rights, roles=["readAnyDatabase"])
        client.admin.command("createUser", name, pwd=name, roles=[name])
    parts = urlsplit(installation.servers.url)
    with patch.dict(
        operator.system.env,
        {
            "BINA_MONGO_URL": urlunsplit(
                parts._replace(netloc=f"{name}:{name}@{parts.netloc.rpartition('@')[2]}")
            )
        },
    ):
        assert operator.backup()["history_extended"] is allowed
        code, out, _ = operator.said(*operator.backing_up())
    assert (code, "tidak mengizinkan memperpanjang riwayat snapshot" in out) == (0, not allowed)
    assert remembered(installation.servers) == 300


def test_no_backup_is_made_when_the_server_has_lost_the_moment(
    installation: FilledInstallation, tmp_path: Path
) -> None:
    operator = BackupHarness(installation.operator.system, tmp_path)
    before = audits(installation.servers)
    with installation.servers.failing("bina-backup", "find", after=2, errorCode=SNAPSHOT_TOO_OLD):
        words = operator.refused(*operator.backing_up())
    assert "sudah tidak mengingat keadaan" in words
    assert "minSnapshotHistoryWindowInSeconds" in words
    assert left(tmp_path) == []
    assert (remembered(installation.servers), audits(installation.servers)) == (300, before)


def test_an_interrupted_backup_leaves_nothing_that_looks_like_one(
    installation: FilledInstallation, tmp_path: Path
) -> None:
    operator = BackupHarness(installation.operator.system, tmp_path)
    with installation.servers.failing(
        "bina-backup", "insert", after=2, closeConnection=True
    ):  # at its audit row, when data and keys are already written
        assert "Pencadangan terputus" in operator.refused(*operator.backing_up())
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    "gone",
    [
        "secrets/training/training_master_key",
        "secrets/training/training_lookup_key",
        "secrets/certification/certification_name_key",
        ISSUER,
    ],
)
def test_a_backup_without_a_needed_key_is_refused_and_names_it(
    installation: FilledInstallation, tmp_path: Path, gone: str
) -> None:
    operator = at(installation.servers, tmp_path / "bina", tmp_path / "shelf")
    shutil.copytree(installation.operator.system.home, operator.system.home)
    (operator.system.home / gone).unlink()
    words = operator.refused(*operator.backing_up())
    assert f"tidak ada: {gone} (" in words
    assert "missing" not in words
    assert "1 kunci" in words
    assert left(tmp_path / "shelf") == []


def left(shelf: Path) -> list[Path]:
    """Return all files where backups and custody files are put."""
    return [path for place in ("data", "keys") for path in (shelf / place).rglob("*")]


def audits(servers: Servers) -> dict[str, int]:
    with servers.client() as client:
        return {name: client[name]["audit"].count_documents({}) for name in service_names()}


def remembered(servers: Servers) -> int:
    with servers.client() as client:
        return client.admin.command({"getParameter": 1, "minSnapshotHistoryWindowInSeconds": 1})[
            "minSnapshotHistoryWindowInSeconds"
        ]


# Interrupted restores


@pytest.mark.parametrize("command", ["dropDatabase", "insert", "update"])
def test_an_interrupted_restore_starts_nothing_and_can_be_repeated(
    installation: FilledInstallation, tmp_path: Path, command: str
) -> None:
    filled(installation.servers)
    target = installation.target(tmp_path / "bina")
    arguments = installation.operator.opening(installation.made)
    asyncio.run(
        kafka_topics.ensure_topic(
            installation.servers.administrator, "training.events", partitions=3
        )
    )
    (target.system.home / LOOKUP_KEY).parent.mkdir(parents=True)
    secret_files.write_private(target.system.home / LOOKUP_KEY, "11" * 32)
    with installation.servers.failing("bina-restore", command, after=2, closeConnection=True):
        words = target.refused(*arguments, "--replace")
    assert "Pemulihan terputus" in words
    assert "ulangi dengan --replace" in words
    assert key_custody.find_keys(target.system.home) == {LOOKUP_KEY: b"11" * 32}, (
        "the keys come last"
    )
    code, _, said = target.said("up", "--detach")
    assert (code, "Pemulihan di sini terputus" in said) == (1, True)
    assert "tidak kosong" in target.refused(*arguments)
    target.bina(*arguments, "--replace")
    assert kept(installation.servers.everything()) == kept(installation.documents)
    assert key_custody.find_keys(target.system.home) == key_custody.find_keys(
        installation.operator.system.home
    )
    assert not (target.system.home / "restoring").exists()
    [aside] = target.system.home.glob("replaced-*")
    assert key_custody.find_keys(aside) == {LOOKUP_KEY: b"11" * 32}
    assert asyncio.run(partitions(installation.servers.administrator)) == dict.fromkeys(
        service_names(), 12
    )  # the old topics were deleted with their records


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("secrets/training/training_master_key", "kunci NIK dan nama"),
        ("secrets/training/training_lookup_key", "kunci pencarian NIK"),
        ("secrets/certification/certification_name_key", "kunci nama pada sertifikat"),
        (ISSUER, "kunci penerbit sertifikat"),
    ],
)
def test_a_restore_without_one_key_says_which_and_touches_nothing(
    installation: FilledInstallation, tmp_path: Path, gone: str, said: str
) -> None:
    before = installation.servers.everything()
    target = installation.target(tmp_path / "bina")
    keys = key_custody.find_keys(installation.operator.system.home)
    holders = [
        (name, encryption.public_key(Path(f"{installation.operator.key(name)}.pub")))
        for name in ("head", "clerk")
    ]
    fewer = {name: key for name, key in keys.items() if name != gone}
    file = key_custody.write_custody(tmp_path, "less", fewer, holders)
    words = target.refused(
        *installation.operator.opening(installation.made, custody=file), "--replace"
    )
    assert f"tidak ada: {gone} ({said})" in words
    assert installation.servers.everything() == before
    assert not target.system.home.exists()


@pytest.mark.parametrize("there", ["database", "topic", "key"])
def test_a_place_with_one_database_topic_or_key_is_not_empty(
    installation: FilledInstallation, tmp_path: Path, there: str
) -> None:
    servers = installation.servers
    target = installation.target(tmp_path / "bina")
    servers.emptied()
    if there == "database":
        with servers.client() as client:
            client["gateway"]["users"].insert_one({"_id": "rina"})
    elif there == "topic":
        asyncio.run(kafka_topics.ensure_topic(servers.administrator, "manpower.events"))
    else:
        (target.system.home / ISSUER).parent.mkdir(parents=True)
        secret_files.write_private(target.system.home / ISSUER, "another")
    before = servers.everything()
    words = target.refused(*installation.operator.opening(installation.made))
    named = {
        "database": "basis data gateway",
        "topic": "topik manpower.events",
        "key": f"kunci {ISSUER}",
    }
    assert f"Tempat ini tidak kosong ({named[there]})" in words
    assert servers.everything() == before


def test_no_database_is_touched_when_kafka_keeps_its_topics(
    installation: FilledInstallation, tmp_path: Path
) -> None:
    filled(installation.servers)
    usual = kafka_broker._SETTINGS  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    keeping = usual + "delete.topic.enable=false\n"

    async def tried() -> str:
        with patch.object(kafka_broker, "_SETTINGS", keeping):
            async with ephemeral_servers.running_kafka(tmp_path / "kafka") as bootstrap:
                await kafka_topics.ensure_topic(bootstrap, "training.events")
                target = at(
                    Servers(
                        installation.servers.url, BrokerAccess(bootstrap), {"BINA_KAFKA": bootstrap}
                    ),
                    tmp_path / "bina",
                    installation.operator.shelf,
                )
                return await asyncio.to_thread(
                    target.refused, *installation.operator.opening(installation.made), "--replace"
                )

    before = installation.servers.everything()
    with patch.object(restore, "TOPIC_DELETION_SECONDS", 1.0):
        assert "Kafka tidak menghapus topik training.events" in asyncio.run(tried())
    assert installation.servers.everything() == before


@pytest.mark.parametrize(
    ("without", "said"),
    [
        (("BINA_KAFKA_USER", "BINA_KAFKA_PASSWORD_FILE"), "tanpa nama: sebutkan BINA_KAFKA_USER"),
        (("BINA_KAFKA_USER",), "BINA_KAFKA_USER tidak ada"),
    ],
)
def test_a_kafka_with_authentication_refuses_an_anonymous_restore(
    installation: FilledInstallation, tmp_path: Path, without: Sequence[str], said: str
) -> None:
    before = installation.servers.everything()
    target = installation.target(tmp_path / "bina")
    for name in without:
        del target.system.env[name]
    words = target.refused(*installation.operator.opening(installation.made), "--replace")
    assert said in words
    assert installation.servers.everything() == before


def test_servers_where_services_run_are_left_alone(
    installation: FilledInstallation, tmp_path: Path
) -> None:
    filled(installation.servers)
    target = installation.target(tmp_path / "bina")
    arguments = installation.operator.opening(installation.made)
    with installation.servers.client() as client:
        leases = client["training"]["leases"]
        leases.insert_one({"_id": "replica/0", "until": utc_now() + timedelta(minutes=1)})
        before = installation.servers.everything()
        assert "training masih berjalan pada server ini" in target.refused(*arguments, "--replace")
        assert installation.servers.everything() == before
        leases.update_one({}, {"$set": {"until": utc_now()}})
        target.bina(*arguments, "--replace")
        assert leases.count_documents({}) == 0


async def partitions(where: BrokerAccess) -> dict[str, int]:
    async with kafka_topics.administering(where) as admin:
        return {
            documents["topic"].removesuffix(".events"): len(documents["partitions"])
            for documents in await admin.describe_topics(
                [f"{name}.events" for name in service_names()]
            )
        }
