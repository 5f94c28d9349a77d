"""Kafka's jars, as jgo.lock.toml pins them; what does not belong here: how the broker is run."""

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


def jar_directory() -> Path:
    """Where the jars of the present lock lie: a cache of the user's, shared by every checkout."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "bina" / f"kafka-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"


def install(progress: Callable[[int, int], None] | None = None) -> Path:
    """Download what is missing and check every checksum, once; returns the directory. progress(done, total), which may raise to give up. Raises OperatorError."""
    place = jar_directory()
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / f"{place.name}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not place.exists():
            staging = Path(tempfile.mkdtemp(prefix="kafka-", dir=place.parent))
            try:
                _download(staging, progress)
                staging.rename(
                    place
                )  # whole or absent: a killed download leaves no half directory under the final name
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    return place


def _download(into: Path, progress: Callable[[int, int], None] | None) -> None:
    from jgo.env import LockedDependency, LockFile  # slow to import, needed once
    from jgo.maven import MavenContext

    locked = LockFile.load(LOCK).dependencies
    context = MavenContext(repo_cache=into / "repository", timeout=60)

    def fetch(dependency: LockedDependency) -> None:
        artifact = (
            context.project(dependency.groupId, dependency.artifactId)
            .at_version(dependency.version)
            .artifact()
        )
        found = artifact.resolve()
        if hashlib.sha256(found.read_bytes()).hexdigest() != dependency.sha256:
            raise OperatorError(
                f"Berkas {found.name} yang diunduh tidak sama dengan yang dikunci di jgo.lock.toml: jangan dipakai, laporkan.",
                f"The downloaded {found.name} is not the one that jgo.lock.toml pins: do not use it, report it.",
            )
        found.rename(into / found.name)

    with ThreadPoolExecutor(_DOWNLOAD_WORKERS) as pool:
        try:
            for done, _ in enumerate(pool.map(fetch, locked), start=1):
                if progress is not None:
                    progress(done, len(locked))
        except (
            OSError,
            RuntimeError,
        ) as cause:  # requests' errors are OSErrors, jgo's "could not resolve" is a RuntimeError
            raise OperatorError(
                f"Kafka tidak dapat diunduh dari Maven Central ({cause}): periksa jaringan atau proksi, lalu ulangi; {ALTERNATIVES_ID}.",
                f"Kafka cannot be downloaded from Maven Central ({cause}): check network or proxy, then try again; {ALTERNATIVES_EN}.",
            ) from cause
        finally:
            pool.shutdown(cancel_futures=True)
    shutil.rmtree(into / "repository")


def write_lock() -> None:
    """Resolve ROOTS anew and write jgo.lock.toml: `python -m ops.local.kafka_jars`, after a change of ROOTS."""
    import jgo
    from jgo.env import LockedDependency, LockFile

    dependencies = [
        LockedDependency(
            item.groupId,
            item.artifactId,
            item.version,
            sha256=hashlib.sha256(item.resolve().read_bytes()).hexdigest(),
        )
        for item in sorted(
            jgo.resolve("+".join(ROOT_ARTIFACTS)), key=lambda each: (each.groupId, each.artifactId)
        )
    ]
    LockFile(
        dependencies, environment_name="kafka", min_java_version=17, jgo_version=jgo.__version__
    ).save(LOCK)


if __name__ == "__main__":
    write_lock()
