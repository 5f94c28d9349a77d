"""Makes a replica set of one member, its administrator, and a user for each service.

Not here: how a mongod is started (`mongod`).
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from chassis.persistence.mongo import Mongo, MongoError

REPLICA_SET = "bina"
ADMINISTRATOR = "bina-administrator"
BACKUP_USER = "bina-keeper"
EXPORTER_USER = "bina-exporter"
_POLL_SECONDS = 0.05
_ALREADY_INITIALIZED = 23
_NOT_YET_LOADED = 94
_UNAUTHORIZED = 13
_USER_EXISTS = 51003
# The localhost exception ends when the first user exists.
_EXCEPTION_CLOSED = {_UNAUTHORIZED, _USER_EXISTS}


def administrator_url(address: str, password: str) -> str:
    """Return the administrator's URL of the member at `host:port`."""
    login = f"{ADMINISTRATOR}:{quote(password, safe='')}"
    return f"mongodb://{login}@{address}/?replicaSet={REPLICA_SET}&authSource=admin"


async def make_primary(address: str, password: str, member: str | None = None) -> None:
    """Make the mongod at `address` on this host primary, and create its administrator.

    `member` is its name in the replica set, by default the address; a changed name is adopted.
    On an empty directory this uses MongoDB's localhost exception. Raises MongoError.
    """
    member = member or address
    options = "directConnection=true&authSource=admin"
    login = f"{ADMINISTRATOR}:{quote(password, safe='')}"
    async with (
        open_admin_database(f"mongodb://{address}/?{options}") as anonymous,
        open_admin_database(f"mongodb://{login}@{address}/?{options}") as administrator,
    ):
        members = [{"_id": 0, "host": member}]
        initiate = {"_id": REPLICA_SET, "members": members}
        await _run_unless_refused(
            {_ALREADY_INITIALIZED, *_EXCEPTION_CLOSED},
            anonymous.client.admin.command("replSetInitiate", initiate),
        )
        while not (hello := await anonymous.client.admin.command("hello"))["isWritablePrimary"]:
            # After a start on another port it is not a member of its own set.
            if "setName" not in hello:
                await _run_unless_refused({_NOT_YET_LOADED}, _rename_member(administrator, member))
            await asyncio.sleep(_POLL_SECONDS)
        await _run_unless_refused(
            _EXCEPTION_CLOSED,
            anonymous.client.admin.command(
                "createUser", ADMINISTRATOR, pwd=password, roles=["root"]
            ),
        )


async def make_user(administrator: str, database: str, password: str) -> str:
    """Make or renew the user of one database, and return its URL.

    The user has no rights on other databases. dbAdmin is for validators and indexes.

    Raises MongoError.
    """
    roles = [{"role": role, "db": database} for role in ("readWrite", "dbAdmin")]
    async with open_admin_database(administrator) as mongo:
        await _make_or_renew(mongo.client[database], "User", database, pwd=password, roles=roles)
    return _user_url(administrator, database, password, database)


async def make_backup_user(administrator: str, databases: Iterable[str], password: str) -> str:
    """Make or renew the user who makes backups, and return its URL.

    This user may read everything, insert rows into each audit, and set how long the server keeps
    snapshots. Raises MongoError.
    """
    privileges: list[dict[str, Any]] = [
        {"resource": {"db": name, "collection": "audit"}, "actions": ["insert"]}
        for name in databases
    ]
    privileges.append({"resource": {"cluster": True}, "actions": ["getParameter", "setParameter"]})
    async with open_admin_database(administrator) as mongo:
        admin = mongo.client["admin"]
        await _make_or_renew(
            admin, "Role", BACKUP_USER, privileges=privileges, roles=["readAnyDatabase"]
        )
        await _make_or_renew(admin, "User", BACKUP_USER, pwd=password, roles=[BACKUP_USER])
    return _user_url(administrator, BACKUP_USER, password, "admin")


async def make_exporter_user(administrator: str, password: str) -> str:
    """Make or renew the user of the exporter, and return its URL.

    This user may read the state of the replica set and no database. Raises MongoError.
    """
    actions = ["replSetGetStatus", "replSetGetConfig", "getCmdLineOpts"]
    privileges = [{"resource": {"cluster": True}, "actions": actions}]
    async with open_admin_database(administrator) as mongo:
        admin = mongo.client["admin"]
        await _make_or_renew(admin, "Role", EXPORTER_USER, privileges=privileges, roles=[])
        await _make_or_renew(admin, "User", EXPORTER_USER, pwd=password, roles=[EXPORTER_USER])
    return _user_url(administrator, EXPORTER_USER, password, "admin")


async def _make_or_renew(
    database: Any, kind: Literal["Role", "User"], name: str, **fields: Any
) -> None:
    answer = await database.command(f"{kind.lower()}sInfo", name)
    verb = "update" if answer[f"{kind.lower()}s"] else "create"
    await database.command(f"{verb}{kind}", name, **fields)


def _user_url(administrator: str, user: str, password: str, database: str) -> str:
    url = urlsplit(administrator)
    hosts = url.netloc.rpartition("@")[2]
    login = f"{user}:{quote(password, safe='')}"
    options = [option for option in url.query.split("&") if option]
    options = [option for option in options if not option.lower().startswith("authsource=")]
    query = "&".join([*options, f"authSource={database}"])
    return urlunsplit((url.scheme, f"{login}@{hosts}", f"/{database}", query, ""))


@asynccontextmanager
async def open_admin_database(url: str) -> AsyncGenerator[Mongo]:
    """Yield the `admin` database of a server."""
    mongo = Mongo(url, "admin", "pymongo", app="bina-ops")
    try:
        yield mongo
    finally:
        await mongo.close()


async def _rename_member(administrator: Mongo, member: str) -> None:
    config = (await administrator.client.admin.command("replSetGetConfig"))["config"]
    config["members"][0]["host"] = member
    config["version"] += 1
    await administrator.client.admin.command("replSetReconfig", config, force=True)


async def _run_unless_refused(expected: set[int], command: Awaitable[object]) -> None:
    """Run a command, and ignore errors with one of these codes.

    They mean that an earlier start has run it, or that the caller has to try again.
    """
    try:
        await command
    except MongoError as error:
        if getattr(error, "code", None) not in expected:
            raise
