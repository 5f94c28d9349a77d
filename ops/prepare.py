"""What containers need before they start: secrets, and the replica set with a user per service. Run by docker-compose.yml, as root, twice."""

import asyncio
import os
import secrets
import sys
from pathlib import Path

from ops import credentials, files, mongo_setup, parts

PLACE = Path("/secrets")
SERVICE_UID = 10001  # as in every Dockerfile of ours
MONGOD_UID = 999  # as in the image mongo


def make_secrets() -> None:
    """Make what is missing, each readable by the one who needs it only."""
    credentials.make(PLACE)
    credentials.administrator_password(PLACE / "mongo")
    key = PLACE / "mongo" / "mongod.key"
    if not key.exists():
        files.write(key, secrets.token_hex(64))
    key.chmod(0o400)
    for path in PLACE.rglob("*"):
        os.chown(path, *([MONGOD_UID] * 2 if path in {key, key.parent} else [SERVICE_UID] * 2))


async def make_users(address: str, member: str) -> None:
    """Make the mongod at `address`, in whose network we are, primary as `member`, and a user for each service."""
    password = credentials.administrator_password(PLACE / "mongo")
    await mongo_setup.make_primary(address, password, member)
    for service in parts.OURS:
        url = await mongo_setup.make_user(mongo_setup.administrator_url(member, password), service.name, credentials.mongo_password(PLACE, service.name))
        credentials.tell_mongo_url(PLACE, service.name, url)
        os.chown(PLACE / service.name / f"{service.name}_mongo_url", SERVICE_UID, SERVICE_UID)


if __name__ == "__main__":
    if sys.argv[1] == "secrets":
        make_secrets()
    else:
        asyncio.run(make_users("127.0.0.1:27017", sys.argv[2]))
