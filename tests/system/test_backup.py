"""A backup made under load, its restore in another directory, and refused backups."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import pymongo
import pytest

from ops.backup import encryption, key_custody
from ops.local.topology import PROCESSES
from tests.installation import Installation, eventually
from tests.system.disaster import BackupHarness, CommandThread, Disaster, upload

pytestmark = [pytest.mark.timeout(400)]
READERS = {"certification": 1, "marketplace": 1, "manpower": 2}


@pytest.fixture(scope="module")
def disaster(tmp_path_factory: pytest.TempPathFactory) -> Disaster:
    """Back up a running system and then lose it.

    During the backup Kafka and one consuming service are suspended, and commands continue.
    """
    shelf = tmp_path_factory.mktemp("shelf")
    old = BackupHarness(Installation(tmp_path_factory.mktemp("lost") / "bina"), shelf)
    up = old.system.bina("up", "--detach")
    assert up.returncode == 0, up.stderr
    pids = {part["name"]: part["pid"] for part in old.system.status()["parts"]}
    frozen = [psutil.Process(pids[name]) for name in ("manpower", "kafka")]
    try:
        with patch.dict(os.environ, old.system.env), old.database() as client:
            frozen[0].suspend()
            upload("2026-11-16")
            eventually(
                lambda: (
                    not any(
                        client[service.name]["outbox"].count_documents({"sent": False})
                        for service in PROCESSES
                    )
                )
            )
            unread = {
                row["_id"]
                for row in client["training"]["outbox"].find(
                    {"type": "training.participant-admitted.v1"}
                )
            }
            frozen[1].suspend()
            upload("2026-11-17")
            unsent = {
                row["_id"]
                for row in client["training"]["outbox"].find(
                    {"sent": False, "type": "training.participant-admitted.v1"}
                )
            }
            commands = CommandThread()
            commands.start()
            eventually(lambda: len(commands.titles) > 5)
            made = old.backup()
            during = len(commands.titles)
            eventually(lambda: len(commands.titles) > during)
            commands.enough.set()
            commands.join()
    finally:
        for process in frozen:
            process.resume()
        old.system.bina("down")
    return Disaster(
        old, made, unsent, unread, len(commands.titles), key_custody.find_keys(old.system.home)
    )


@pytest.fixture(scope="module")
def restored(
    disaster: Disaster, tmp_path_factory: pytest.TempPathFactory
) -> Generator[BackupHarness]:
    """Restore the backup in another directory and start the system."""
    shutil.rmtree(disaster.old.system.home / "mongod")
    new = BackupHarness(Installation(tmp_path_factory.mktemp("found") / "bina"), disaster.old.shelf)
    report = new.bina(*new.opening(disaster.made))
    assert report["documents"] == disaster.made["documents"]
    assert report["published"] > 300
    up = new.system.bina("up", "--detach")
    assert up.returncode == 0, up.stderr
    with new.database() as client:
        eventually(lambda: not missing(client))
    yield new
    new.system.bina("down")
    assert new.system.processes() == []


def events_in(client: pymongo.MongoClient[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return every archived event by id."""
    return {
        row["_id"]: row
        for service in PROCESSES
        for row in client[service.name]["outbox"].find({}, {"type": 1, "key": 1, "seq": 1, "at": 1})
    }


def missing(client: pymongo.MongoClient[dict[str, Any]]) -> list[str]:
    """Return the ids of admissions that have not taken effect in manpower."""
    admitted = [
        row["_id"]
        for row in client["training"]["outbox"].find(
            {"type": "training.participant-admitted.v1"}, {"_id": 1}
        )
    ]
    done = {
        row["_id"]
        for row in client["manpower"]["inbox"].find(
            {"_id": {"$in": admitted}, "state": "done"}, {"_id": 1}
        )
    }
    return [id_ for id_ in admitted if id_ not in done]


def test_events_unsent_or_unread_at_the_backup_take_effect_afterwards(
    disaster: Disaster, restored: BackupHarness
) -> None:
    assert disaster.unsent
    assert len(disaster.unread) > 300
    with restored.database() as client:
        assert disaster.unsent | disaster.unread <= events_in(client).keys()
        eventually(lambda: client["training"]["outbox"].count_documents({"sent": False}) == 0)
        refs = {
            row["key"]
            for row in client["training"]["outbox"].find(
                {"_id": {"$in": list(disaster.unsent | disaster.unread)}}
            )
        }
        assert refs <= {row["_id"] for row in client["manpower"]["candidates"].find({}, {"_id": 1})}


def test_every_effect_is_there_once_in_order_and_has_its_cause(restored: BackupHarness) -> None:
    with restored.database() as client:
        events = events_in(client)
        for service in ("training", *READERS):
            effects = list(
                client[service]["audit"].find(
                    {"causation_id": {"$ne": ""}},
                    {"causation_id": 1, "action": 1, "subject": 1, "version": 1},
                    sort=[("_id", 1)],
                )
            )
            assert [row for row in effects if row["causation_id"] not in events] == [], service
            again = Counter((row["causation_id"], row["action"], row["subject"]) for row in effects)
            assert [one for one, times in again.items() if times > 1] == [], service
            last: dict[tuple[str, str, str], int] = {}
            for row in effects:
                event = events[row["causation_id"]]
                line = row["subject"], event["key"], event["type"].partition(".")[0]
                assert last.get(line, 0) <= event["seq"], (service, row)
                last[line] = event["seq"]
        read = [row["_id"] for row in client["manpower"]["inbox"].find({}, {"_id": 1})]
        assert len(read) > 300
        assert set(read) <= events.keys()


def test_a_backup_is_one_moment_of_all_databases_under_load(
    disaster: Disaster, restored: BackupHarness
) -> None:
    with restored.database() as client:
        made = {row["_id"] for row in client["training"]["programmes"].find({}, {"_id": 1})}
        assert 5 <= len(made) < disaster.commands
        assert made == {
            row["subject"]
            for row in client["training"]["audit"].find(
                {"action": "programmes.added"}, {"subject": 1}
            )
        }
        assert made == {
            row["resource"]
            for row in client["training"]["idempotency"].find({"collection": "programmes"})
        }
        versions = {row["_id"]: row["seq"] for row in client["training"]["keys"].find()}
        newest = client["training"]["outbox"].aggregate(
            [{"$group": {"_id": "$key", "seq": {"$max": "$seq"}}}]
        )
        assert {row["_id"]: row["seq"] for row in newest} == versions


def test_the_restored_audit_verifies_and_records_backup_and_restore(
    disaster: Disaster, restored: BackupHarness
) -> None:
    with restored.database() as client:
        eventually(
            lambda: all(
                client[service.name]["audit"].count_documents(
                    {"action": "backup.restored", "block": {"$ne": None}}
                )
                == 1
                for service in PROCESSES
            )
        )
    report = restored.bina("audit", "verify")
    assert report["whole"], report
    assert all(one["blocks"] and one["anchors"] for one in report["services"])
    assert key_custody.find_keys(restored.system.home) == disaster.keys


def test_new_commands_work_and_their_events_take_effect(restored: BackupHarness) -> None:
    with patch.dict(os.environ, restored.system.env), restored.database() as client:
        before = client["manpower"]["inbox"].count_documents({})
        upload("2026-11-18")
        eventually(
            lambda: client["manpower"]["inbox"].count_documents({}) > before and not missing(client)
        )
    status = restored.system.status()
    assert (status["parked"]["events"], status["invariants_broken"]) == (0, {})


def test_a_system_that_runs_is_left_alone(disaster: Disaster, restored: BackupHarness) -> None:
    assert "sedang berjalan" in restored.refused(*restored.opening(disaster.made), "--replace")


# Refusals


def copied(disaster: Disaster, tmp_path: Path) -> Path:
    return Path(shutil.copytree(disaster.made["backup"], tmp_path / "copy"))


def refused(disaster: Disaster, tmp_path: Path, **other: Path | None) -> str:
    """Return the error of a restore that must be refused and must create nothing."""
    target = BackupHarness(Installation(tmp_path / "untouched"), disaster.old.shelf)
    words = target.refused(*disaster.old.opening(disaster.made, **other))
    assert not target.system.home.exists()
    return words


def test_a_damaged_a_missing_and_an_exchanged_piece_are_named(
    disaster: Disaster, tmp_path: Path
) -> None:
    place = copied(disaster, tmp_path)
    piece, other = sorted((place / "training").iterdir())[:2]
    content = piece.read_bytes()
    piece.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert f"{piece.parent.name}/{piece.name}" in (
        words := refused(disaster, tmp_path, place=place)
    )
    assert "rusak atau diubah" in words
    piece.write_bytes(other.read_bytes())
    assert "rusak atau diubah" in refused(disaster, tmp_path, place=place)
    piece.unlink()
    assert "tidak ada: cadangan ini tidak dipakai" in refused(disaster, tmp_path, place=place)


def test_a_manifest_that_is_cut_changed_or_signed_by_nobody_is_refused(
    disaster: Disaster, tmp_path: Path
) -> None:
    place = copied(disaster, tmp_path)
    manifest = place / "manifest.json"
    whole = manifest.read_text()
    report = json.loads(whole)
    report["pieces"].pop()
    for content in (
        whole[: len(whole) // 2],
        whole[:-1],
        json.dumps(report | {"count": report["count"] - 1}),
        whole.replace(f'"format": {report["format"]}', '"format": 99'),
    ):
        manifest.write_text(content)
        assert "rusak, terpotong, diubah" in refused(disaster, tmp_path, place=place)
    manifest.unlink()
    assert "tidak ada cadangan yang utuh" in refused(disaster, tmp_path, place=place)


def test_a_wrong_key_and_a_missing_holder_are_named(disaster: Disaster, tmp_path: Path) -> None:
    old = disaster.old
    assert "tidak dapat membuka cadangan ini" in refused(disaster, tmp_path, reader=old.key("head"))
    assert "Kunci pemegang clerk" in refused(disaster, tmp_path, clerk=None)
    assert "Kunci pemegang head" in refused(disaster, tmp_path, head=old.key("stranger"))
    assert "bukan kunci pemegang" in refused(
        disaster, tmp_path, reader=Path(f"{old.key('reader')}.pub")
    )


def test_a_drill_without_the_keys_fails_and_says_which_are_missing(
    disaster: Disaster, tmp_path: Path
) -> None:
    words = refused(disaster, tmp_path, custody=None)
    assert "training_master_key (kunci NIK dan nama)" in words
    assert "training_lookup_key (kunci pencarian NIK)" in words
    custody = Path(disaster.made["custody"])
    for share in custody.parent.glob(f"{disaster.made['id']}.*.share.age"):
        shutil.copy(share, tmp_path)
    cut = tmp_path / custody.name
    cut.write_text(custody.read_text()[:-40])
    assert "rusak, terpotong atau diubah" in refused(disaster, tmp_path, custody=cut)
    old = disaster.old
    holders = [
        (name, encryption.public_key(Path(f"{old.key(name)}.pub"))) for name in ("head", "clerk")
    ]
    keys = disaster.keys | {"secrets/training/training_lookup_key": b"00" * 32}
    keys.pop("secrets/certification/certification_name_key")
    stale = key_custody.write_custody(tmp_path, "stale", keys, holders)
    words = refused(disaster, tmp_path, custody=stale)
    assert "tidak ada: secrets/certification/certification_name_key" in words
    assert "kunci lain: secrets/training/training_lookup_key" in words


def test_one_service_alone_is_not_restored(disaster: Disaster, tmp_path: Path) -> None:
    target = BackupHarness(Installation(tmp_path / "untouched"), disaster.old.shelf)
    assert "tidak dipulihkan ke masa lalu" in target.refused(
        *disaster.old.opening(disaster.made), "--service", "training"
    )


def test_the_backup_contains_no_key_and_no_readable_text(disaster: Disaster) -> None:
    whole = b"".join(
        path.read_bytes() for path in Path(disaster.made["backup"]).rglob("*") if path.is_file()
    )
    for secret in [*disaster.keys.values(), b"participant_ref", b"LP-TJP"]:
        assert secret not in whole
    custody = list(Path(disaster.made["custody"]).parent.glob(f"{disaster.made['id']}.*"))
    assert len(custody) == 3  # the keys, and a share for each holder
    for file in custody:
        assert file.stat().st_mode & 0o077 == 0
        assert all(secret not in file.read_bytes() for secret in disaster.keys.values())


def test_an_interrupted_restore_does_not_start(tmp_path: Path) -> None:
    here = Installation(tmp_path / "half")
    here.home.mkdir()
    (here.home / "restoring").write_text("bina-x")
    up = here.bina("up", "--detach")
    assert up.returncode == 1
    assert "ulangi `./bina restore` dengan --replace" in up.stderr


def test_the_keys_are_held_by_two_people_apart_from_the_data(
    disaster: Disaster, tmp_path: Path
) -> None:
    old = disaster.old
    data = tmp_path / "data"
    reader, head, clerk = (f"{old.key(name)}.pub" for name in ("reader", "head", "clerk"))
    assert "dua kunci yang berbeda" in old.refused(
        "backup",
        str(data),
        "--reader",
        reader,
        "--custody",
        str(tmp_path / "keys"),
        "--holder",
        head,
        "--holder",
        head,
    )
    assert "terpisah dari data" in old.refused(
        "backup",
        str(data),
        "--reader",
        reader,
        "--custody",
        str(data / "keys"),
        "--holder",
        head,
        "--holder",
        clerk,
    )
    assert "sudah ada" in old.refused("key", str(old.key("head")))
    assert not data.exists()
