"""What containers need before they start: secrets, the replica set, and a user per service in MongoDB and in Kafka. Run by docker-compose.yml, as root.

The job `whole` stands before the services too: nothing starts on what a restore left half done.
"""

import asyncio
import os
import secrets
import sys
from pathlib import Path

from ops.local import kafka_admin, mongo_users, secret_files, topology
from ops.local import secrets as local_secrets

PLACE = Path("/secrets")
SERVICE_UID = 10001  # as in every Dockerfile of ours
OWNERS = {
    "mongo": 999,
    "kafka": 1000,
    kafka_admin.OPERATOR: 1000,
}  # as in their images; the operator looks by the tools in Kafka's
KEEPER = "keeper"  # who makes backups
KAFKA_PORT, KAFKA_CONTROLLER_PORT, KAFKA_ADMINISTRATION_PORT = 9092, 9093, 9094


def make_secrets() -> None:
    """Make what is missing, each readable by the one who needs it only."""
    local_secrets.make(PLACE)
    for service in topology.OURS:
        local_secrets.kafka_password(PLACE, service.name)
    local_secrets.administrator_password(PLACE / "mongo")
    key = PLACE / "mongo" / "mongod.key"
    if not key.exists():
        secret_files.write(key, secrets.token_hex(64))
    key.chmod(0o400)
    ports = {
        "port": KAFKA_PORT,
        "administration": KAFKA_ADMINISTRATION_PORT,
        "controller": KAFKA_CONTROLLER_PORT,
    }
    secret_files.write(
        PLACE / "kafka" / "listeners.properties",
        kafka_admin.settings(_kafka_administrator(), host="0.0.0.0", known_as="kafka", **ports),  # noqa: S104 - of its own network
    )
    for person in (kafka_admin.OPERATOR, kafka_admin.RESTORER):
        secret_files.write(
            PLACE / person / "client.properties", kafka_admin.client(person, _kafka_person(person))
        )
    for path in PLACE.rglob("*"):
        os.chown(path, *[OWNERS.get(path.relative_to(PLACE).parts[0], SERVICE_UID)] * 2)


async def make_mongo_users(address: str, member: str) -> None:
    """Make the mongod at `address`, in whose network we are, primary as `member`, and a user for each service."""
    password = local_secrets.administrator_password(PLACE / "mongo")
    await mongo_users.make_primary(address, password, member)
    for service in topology.OURS:
        url = await mongo_users.make_user(
            mongo_users.administrator_url(member, password),
            service.name,
            local_secrets.mongo_password(PLACE, service.name),
        )
        local_secrets.tell_mongo_url(PLACE, service.name, url)
        os.chown(PLACE / service.name / f"{service.name}_mongo_url", SERVICE_UID, SERVICE_UID)
    administrator = mongo_users.administrator_url(member, password)
    keeper = await mongo_users.make_keeper(
        administrator,
        [service.name for service in topology.OURS],
        local_secrets.administrator_password(PLACE / KEEPER, "mongo-password"),
    )
    for person, url in ((KEEPER, keeper), (kafka_admin.RESTORER, administrator)):
        secret_files.write(PLACE / person / "mongo_url", url)
        os.chown(PLACE / person / "mongo_url", SERVICE_UID, SERVICE_UID)


async def make_kafka_users() -> None:
    """Make the topics, a user for each service and for people, and their permissions, at the Kafka in whose network we are."""
    administrator = kafka_admin.administrator(_kafka_administrator(), KAFKA_ADMINISTRATION_PORT)
    await kafka_admin.make_users(
        administrator,
        {
            service.name: local_secrets.kafka_password(PLACE, service.name)
            for service in topology.OURS
        },
    )
    await kafka_admin.make_people(
        administrator,
        {person: _kafka_person(person) for person in (kafka_admin.OPERATOR, kafka_admin.RESTORER)},
    )


def require_whole() -> None:
    """End with words when the last restore into these volumes did not come to its end."""
    if (PLACE / kafka_admin.RESTORER / secret_files.UNFINISHED).exists():
        raise SystemExit(
            "Pemulihan di sini terputus, datanya tidak utuh: ulangi `docker compose run --rm restore` dengan --replace.\n"
            "A restore was interrupted here and what lies here is not whole: repeat `docker compose run --rm restore` with --replace."
        )


def _kafka_administrator() -> str:
    return local_secrets.administrator_password(PLACE / "kafka", "kafka-administrator")


def _kafka_person(person: str) -> str:
    return local_secrets.administrator_password(PLACE / person, "kafka_password")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["secrets"]:
            make_secrets()
        case ["mongo-users", member]:
            asyncio.run(make_mongo_users("127.0.0.1:27017", member))
        case ["kafka-users"]:
            asyncio.run(make_kafka_users())
        case ["whole"]:
            require_whole()
        case other:
            raise SystemExit(f"unknown: {other}")
