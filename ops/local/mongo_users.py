"""Makes a replica set of one, its administrator, and a user per service that reaches only its own database. Not here: how a mongod is started."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from chassis.persistence.mongo import Mongo, MongoError

REPLICA_SET = "bina"
ADMINISTRATOR, BACKUP_USER = "bina-administrator", "bina-keeper"
_ALREADY_INITIALIZED = 23
_NOT_YET_LOADED = 94
_EXCEPTION_CLOSED = {
    13,
    51003,
}  # unauthorised, user exists: the localhost exception ended with the first user


def administrator_url(address: str, password: str) -> str:
    """The administrator's URL of the member at `host:port`."""
    return f"mongodb://{ADMINISTRATOR}:{quote(password, safe='')}@{address}/?replicaSet={REPLICA_SET}&authSource=admin"


async def make_primary(address: str, password: str, member: str | None = None) -> None:
    """Make the mongod at `address` (on this host) primary of a set in which it is called `member`, and its administrator; afterwards follow a changed name.

    On an empty directory this goes over MongoDB's localhost exception, which ends with the first user. Raises MongoError.
    """
    member = member or address
    direct = f"mongodb://%s{address}/?directConnection=true&authSource=admin"
    async with (
        open_admin_database(direct % "") as nobody,
        open_admin_database(
            direct % f"{ADMINISTRATOR}:{quote(password, safe='')}@"
        ) as administrator,
    ):
        await _run_unless_refused(
            {_ALREADY_INITIALIZED, *_EXCEPTION_CLOSED},
            nobody.client.admin.command(
                "replSetInitiate", {"_id": REPLICA_SET, "members": [{"_id": 0, "host": member}]}
            ),
        )
        while not (hello := await nobody.client.admin.command("hello"))["isWritablePrimary"]:
            if (
                "setName" not in hello
            ):  # it finds itself under no address of its set: started on another port
                await _run_unless_refused({_NOT_YET_LOADED}, _rename_member(administrator, member))
            await asyncio.sleep(0.05)
        await _run_unless_refused(
            _EXCEPTION_CLOSED,
            nobody.client.admin.command("createUser", ADMINISTRATOR, pwd=password, roles=["root"]),
        )


async def make_user(administrator: str, database: str, password: str) -> str:
    """Make or renew the user of one database, who may do nothing elsewhere, and return its URL. Raises MongoError."""
    roles = [
        {"role": role, "db": database} for role in ("readWrite", "dbAdmin")
    ]  # dbAdmin: validators and indexes of its collections
    async with open_admin_database(administrator) as mongo:
        here: Any = mongo.client[database]
        known = (await here.command("usersInfo", database))["users"]
        await here.command(
            "updateUser" if known else "createUser", database, pwd=password, roles=roles
        )
    return _user_url(administrator, database, password, database)


async def make_backup_user(administrator: str, databases: Iterable[str], password: str) -> str:
    """Make or renew the user who makes backups, who may read everything and note himself in each audit, and return its URL. Raises MongoError."""
    rights: list[dict[str, Any]] = [
        {"resource": {"db": name, "collection": "audit"}, "actions": ["insert"]}
        for name in databases
    ]
    rights.append(
        {"resource": {"cluster": True}, "actions": ["getParameter", "setParameter"]}
    )  # how long the server remembers
    async with open_admin_database(administrator) as mongo:
        here: Any = mongo.client["admin"]
        known = (await here.command("rolesInfo", BACKUP_USER))["roles"]
        await here.command(
            "updateRole" if known else "createRole",
            BACKUP_USER,
            privileges=rights,
            roles=["readAnyDatabase"],
        )
        known = (await here.command("usersInfo", BACKUP_USER))["users"]
        await here.command(
            "updateUser" if known else "createUser", BACKUP_USER, pwd=password, roles=[BACKUP_USER]
        )
    return _user_url(administrator, BACKUP_USER, password, "admin")


def _user_url(administrator: str, user: str, password: str, database: str) -> str:
    parts = urlsplit(administrator)
    hosts = parts.netloc.rpartition("@")[2]
    options = "&".join(
        [
            *(
                option
                for option in parts.query.split("&")
                if option and not option.lower().startswith("authsource=")
            ),
            f"authSource={database}",
        ]
    )
    return urlunsplit(
        (parts.scheme, f"{user}:{quote(password, safe='')}@{hosts}", f"/{database}", options, "")
    )


@asynccontextmanager
async def open_admin_database(url: str) -> AsyncGenerator[Mongo]:
    """The `admin` database of a server, as long as the block."""
    mongo = Mongo(url, "admin", "pymongo", app="bina-ops")
    try:
        yield mongo
    finally:
        await mongo.close()


async def _rename_member(administrator: Mongo, member: str) -> None:
    config = (await administrator.client.admin.command("replSetGetConfig"))["config"]
    config["members"][0]["host"] = member
    await administrator.client.admin.command(
        "replSetReconfig", {**config, "version": config["version"] + 1}, force=True
    )


async def _run_unless_refused(expected: set[int], command: Awaitable[object]) -> None:
    """Run a command that may be refused with one of these codes: it was carried out at an earlier start, or the next round asks again."""
    try:
        await command
    except MongoError as refused:
        if getattr(refused, "code", None) not in expected:
            raise
