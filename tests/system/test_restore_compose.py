"""Backup and restore by the jobs of docker-compose.yml, without Docker.

Commands, environment and image content are those of the jobs; directories replace the volumes.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pymongo
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from pymongo.errors import OperationFailure

from ops.local import container_setup, secret_files
from ops.local.topology import PROCESSES
from tests import container_jobs
from tests.installation import Installation
from tests.system.database_servers import Servers, filled, kept, serving
from tests.system.disaster import BackupHarness

pytestmark = [pytest.mark.timeout(200)]
NAMES = {service.name for service in PROCESSES}


def nobody(*_: object) -> None:
    """Replace chown, which only root may call."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Generator[Servers]:
    with serving(tmp_path_factory.mktemp("servers")) as found:
        yield found


@dataclass(frozen=True)
class ComposeInstallation:
    """An installation by compose: its volumes, filled as by its jobs for secrets and users."""

    servers: Servers
    root: Path
    volumes: Mapping[str, Path]

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        root = self.root / name
        if not root.exists():
            container_jobs.image(root / "app")
        container_jobs.mounted(name, root, self.volumes)
        return container_jobs.run(
            name, root, self.servers.login["BINA_KAFKA"], *arguments, "--json"
        )

    def keys(self) -> dict[str, str]:
        """Return all files in the volumes of the services' secrets and of the issuers' keys."""
        places = [
            (name, path)
            for name, path in self.volumes.items()
            if name.removesuffix("-secrets") in NAMES or name == "issuer-keys"
        ]
        contents: dict[str, str] = {}
        for name, place in places:
            files = [path for path in place.rglob("*") if path.is_file()]
            contents |= {f"{name}/{path.relative_to(place)}": path.read_text() for path in files}
        return contents


@pytest.fixture
def composed(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[ComposeInstallation]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as another_disk:
        place = tmp_path / "secrets"
        monkeypatch.setattr(container_setup, "SECRETS_DIRECTORY", place)
        monkeypatch.setattr(container_setup.os, "chown", nobody)
        volumes = {
            volume: place / path.removeprefix("/secrets/")
            for volume, path in (
                one.split(":") for one in container_jobs.SERVICES["secrets"]["volumes"]
            )
        }
        for one in volumes.values():
            one.mkdir(parents=True)
        address = urlsplit(servers.url)
        secret_files.write_private(place / "mongo" / "mongo-administrator", address.password or "")
        secret_files.write_private(place / "restorer" / "kafka_password", "of the operator")
        container_setup.make_secrets()
        member = address.netloc.rpartition("@")[2]
        asyncio.run(container_setup.make_mongo_users(member, member))
        yield ComposeInstallation(servers, tmp_path, {**volumes, "issuer-keys": Path(another_disk)})


def issued(composed: ComposeInstallation, key: str) -> None:
    path = composed.volumes["issuer-keys"] / "lsp-1" / "assertion-2026.pem"
    path.parent.mkdir(exist_ok=True)
    secret_files.write_private(path, key)


def test_the_compose_jobs_restore_every_document_and_key_elsewhere(
    composed: ComposeInstallation, tmp_path: Path
) -> None:
    filled(composed.servers)
    issued(composed, "-----BEGIN PRIVATE KEY-----")
    report = composed.servers.everything()
    keys = composed.keys()
    operator = BackupHarness(Installation(tmp_path / "bina"), tmp_path)
    backup = composed.run(*operator.backing_up())
    assert backup.returncode == 0, backup.stderr
    made = json.loads(backup.stdout)
    assert made["history_extended"]
    assert not any(
        "kafka_password" in name
        for name in json.loads((Path(made["backup"]) / "manifest.json").read_text())["keys"]
    )

    servers_own = {
        name: value
        for name, value in keys.items()
        if name.endswith(("mongo-password", "_mongo_url", "_kafka_password"))
    }
    for name in keys.keys() - servers_own.keys():
        place, _, path = name.partition("/")
        (composed.volumes[place] / path).unlink()
    container_setup.make_secrets()
    issued(composed, "another")
    fresh = composed.keys()
    command = [*operator.opening(made), "--replace"]
    assert "tidak kosong" in composed.run(*command[:-1]).stderr
    container_setup.require_finished_restore()

    with composed.servers.failing("bina-restore", "insert", after=2, closeConnection=True):
        assert "Pemulihan terputus" in composed.run(*command).stderr
    with pytest.raises(SystemExit, match="docker compose run --rm restore"):
        container_setup.require_finished_restore()
    restored = composed.run(*command)
    assert restored.returncode == 0, restored.stderr
    container_setup.require_finished_restore()
    assert kept(composed.servers.everything()) == kept(report)
    assert composed.keys() == keys
    assert servers_own.keys() == {name for name in keys if "kafka" in name or "mongo" in name}
    [aside] = composed.volumes["restorer-secrets"].glob("replaced-*")
    assert {path.read_text() for path in aside.rglob("*") if path.is_file()} == set(
        fresh.values()
    ) - set(servers_own.values())
    for service in PROCESSES:
        public = load_pem_private_key(
            (
                composed.volumes[f"{service.name}-secrets"] / f"{service.name}_signing_key"
            ).read_bytes(),
            None,
        ).public_key()
        assert (
            load_pem_public_key(
                (composed.volumes["trusted-keys"] / f"{service.name}.pem").read_bytes()
            )
            == public
        )
        with pymongo.MongoClient[dict[str, Any]](
            (composed.volumes[f"{service.name}-secrets"] / f"{service.name}_mongo_url").read_text()
        ) as client:
            assert client[service.name]["keys"].find_one()


def test_who_makes_backups_in_compose_changes_nothing(composed: ComposeInstallation) -> None:
    filled(composed.servers)
    with pymongo.MongoClient[dict[str, Any]](
        (composed.volumes["keeper-secrets"] / "mongo_url").read_text()
    ) as client:
        assert client["training"]["participants"].find_one()
        for change in (
            lambda: client["training"]["participants"].delete_many({}),
            lambda: client["training"]["audit"].delete_many({}),
            lambda: client.drop_database("training"),
        ):
            with pytest.raises(OperationFailure, match="not authorized"):
                change()


def test_an_unwritable_directory_is_refused_before_anything_is_read(
    composed: ComposeInstallation, tmp_path: Path
) -> None:
    operator = BackupHarness(Installation(tmp_path / "bina"), tmp_path)
    command = operator.backing_up()
    (tmp_path / "keys").touch()
    refused = composed.run(*command)
    assert (refused.returncode, f"{tmp_path / 'keys'} tidak dapat ditulisi" in refused.stderr) == (
        1,
        True,
    ), refused.stderr
    assert list((tmp_path / "data").iterdir()) == []
