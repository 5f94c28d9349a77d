"""Installs Kafka's jars as jgo.lock.toml pins them. Not here: how the broker runs."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ops.errors import ALTERNATIVES_EN, ALTERNATIVES_ID, OperatorError

LOCK = Path(__file__).parents[2] / "jgo.lock.toml"
ROOT_ARTIFACTS = (
    "org.apache.kafka:kafka_2.13:4.3.1",
    "org.apache.kafka:kafka-tools:4.3.1",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!",
)
_DOWNLOAD_WORKERS = 8
_TIMEOUT_SECONDS = 60
_MIN_JAVA_VERSION = 17


def jar_directory() -> Path:
    """Return the directory of the jars of this lock, in a cache that every checkout shares."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "bina" / f"kafka-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"


def install(progress: Callable[[int, int], None] | None = None) -> Path:
    """Download the jars once, check every checksum, and return their directory.

    `progress(done, total)` may raise to cancel the download. Raises OperatorError.
    """
    directory = jar_directory()
    if directory.exists():
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)
    with (directory.parent / f"{directory.name}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not directory.exists():
            _install_into(directory, progress)
    return directory


def _install_into(directory: Path, progress: Callable[[int, int], None] | None) -> None:
    """Download into a directory beside, then rename it: the directory is complete or absent."""
    staging = Path(tempfile.mkdtemp(prefix="kafka-", dir=directory.parent))
    try:
        _download(staging, progress)
        staging.rename(directory)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _download(into: Path, progress: Callable[[int, int], None] | None) -> None:
    from jgo.env import LockedDependency, LockFile  # slow to import, needed once
    from jgo.maven import MavenContext

    locked = LockFile.load(LOCK).dependencies
    context = MavenContext(repo_cache=into / "repository", timeout=_TIMEOUT_SECONDS)

    def fetch(dependency: LockedDependency) -> None:
        artifact = (
            context.project(dependency.groupId, dependency.artifactId)
            .at_version(dependency.version)
            .artifact()
        )
        file = artifact.resolve()
        if hashlib.sha256(file.read_bytes()).hexdigest() != dependency.sha256:
            raise OperatorError(
                f"Berkas {file.name} yang diunduh tidak sama dengan yang dikunci di"
                " jgo.lock.toml: jangan dipakai, laporkan.",
                f"The downloaded {file.name} is not the one that jgo.lock.toml pins:"
                " do not use it, report it.",
            )
        file.rename(into / file.name)

    with ThreadPoolExecutor(_DOWNLOAD_WORKERS) as pool:
        try:
            for done, _ in enumerate(pool.map(fetch, locked), start=1):
                if progress is not None:
                    progress(done, len(locked))
        # The errors of requests are OSErrors; jgo's "could not resolve" is a RuntimeError.
        except (OSError, RuntimeError) as cause:
            raise OperatorError(
                f"Kafka tidak dapat diunduh dari Maven Central ({cause}): periksa jaringan atau"
                f" proksi, lalu ulangi; {ALTERNATIVES_ID}.",
                f"Kafka cannot be downloaded from Maven Central ({cause}): check network or"
                f" proxy, then try again; {ALTERNATIVES_EN}.",
            ) from cause
        finally:
            pool.shutdown(cancel_futures=True)
    shutil.rmtree(into / "repository")


def write_lock() -> None:
    """Resolve ROOT_ARTIFACTS and write jgo.lock.toml.

    After a change of ROOT_ARTIFACTS run `python -m ops.local.kafka_jars`.
    """
    import jgo
    from jgo.env import LockedDependency, LockFile

    resolved = jgo.resolve("+".join(ROOT_ARTIFACTS))
    dependencies = [
        LockedDependency(
            dependency.groupId,
            dependency.artifactId,
            dependency.version,
            sha256=hashlib.sha256(dependency.resolve().read_bytes()).hexdigest(),
        )
        for dependency in sorted(resolved, key=lambda it: (it.groupId, it.artifactId))
    ]
    lock = LockFile(
        dependencies,
        environment_name="kafka",
        min_java_version=_MIN_JAVA_VERSION,
        jgo_version=jgo.__version__,
    )
    lock.save(LOCK)


if __name__ == "__main__":
    write_lock()
