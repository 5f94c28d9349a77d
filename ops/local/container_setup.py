"""What containers need before they start: secrets, the replica set, and a user per service in MongoDB and in Kafka. Run by docker-compose.yml, as root.

The job `whole` stands before the services too: nothing starts on what a restore left half done.
"""

import asyncio
import os
import secrets
import sys
from pathlib import Path

from ops.local import kafka_admin, kafka_permissions, mongo_users, secret_files, topology
from ops.local import secrets as local_secrets

SECRETS_DIRECTORY = Path("/secrets")
SERVICE_UID = 10001  # as in every Dockerfile of ours
OWNERS = {
    "mongo": 999,
    "kafka": 1000,
    kafka_permissions.OPERATOR: 1000,
}  # as in their images; the operator looks by the tools in Kafka's
BACKUP_USER = "keeper"  # who makes backups
KAFKA_PORT, KAFKA_CONTROLLER_PORT, KAFKA_ADMINISTRATION_PORT = 9092, 9093, 9094


def make_secrets() -> None:
    """Make what is missing, each readable by the one who needs it only."""
    local_secrets.make_secrets(SECRETS_DIRECTORY)
    for service in topology.PROCESSES:
        local_secrets.kafka_password(SECRETS_DIRECTORY, service.name)
    local_secrets.administrator_password(SECRETS_DIRECTORY / "mongo")
    key = SECRETS_DIRECTORY / "mongo" / "mongod.key"
    if not key.exists():
        secret_files.write_private(key, secrets.token_hex(64))
    key.chmod(0o400)
    ports = {
        "port": KAFKA_PORT,
        "administration": KAFKA_ADMINISTRATION_PORT,
        "controller": KAFKA_CONTROLLER_PORT,
    }
    secret_files.write_private(
        SECRETS_DIRECTORY / "kafka" / "listeners.properties",
        kafka_admin.settings(
            _kafka_administrator_password(),
            host="0.0.0.0",  # noqa: S104 - inside its container
            known_as="kafka",
            **ports,
        ),
    )
    for person in kafka_permissions.PEOPLE:
        secret_files.write_private(
            SECRETS_DIRECTORY / person / "client.properties",
            kafka_admin.client(person, _kafka_person_password(person)),
        )
    for path in SECRETS_DIRECTORY.rglob("*"):
        os.chown(path, *[OWNERS.get(path.relative_to(SECRETS_DIRECTORY).parts[0], SERVICE_UID)] * 2)


async def make_mongo_users(address: str, member: str) -> None:
    """Make the mongod at `address`, in whose network we are, primary as `member`, and a user for each service."""
    password = local_secrets.administrator_password(SECRETS_DIRECTORY / "mongo")
    await mongo_users.make_primary(address, password, member)
    for service in topology.PROCESSES:
        url = await mongo_users.make_user(
            mongo_users.administrator_url(member, password),
            service.name,
            local_secrets.mongo_password(SECRETS_DIRECTORY, service.name),
        )
        local_secrets.write_mongo_url(SECRETS_DIRECTORY, service.name, url)
        os.chown(
            SECRETS_DIRECTORY / service.name / f"{service.name}_mongo_url", SERVICE_UID, SERVICE_UID
        )
    administrator = mongo_users.administrator_url(member, password)
    keeper = await mongo_users.make_backup_user(
        administrator,
        [service.name for service in topology.PROCESSES],
        local_secrets.administrator_password(SECRETS_DIRECTORY / BACKUP_USER, "mongo-password"),
    )
    for person, url in ((BACKUP_USER, keeper), (kafka_permissions.RESTORER, administrator)):
        secret_files.write_private(SECRETS_DIRECTORY / person / "mongo_url", url)
        os.chown(SECRETS_DIRECTORY / person / "mongo_url", SERVICE_UID, SERVICE_UID)


async def make_kafka_users() -> None:
    """Make the topics, a user for each service and for people, and their permissions, at the Kafka in whose network we are."""
    administrator = kafka_admin.administrator(
        _kafka_administrator_password(), KAFKA_ADMINISTRATION_PORT
    )
    await kafka_admin.make_users(
        administrator,
        {
            service.name: local_secrets.kafka_password(SECRETS_DIRECTORY, service.name)
            for service in topology.PROCESSES
        },
    )
    await kafka_admin.make_people(
        administrator,
        {person: _kafka_person_password(person) for person in kafka_permissions.PEOPLE},
    )


def require_finished_restore() -> None:
    """End with words when the last restore into these volumes did not come to its end."""
    if (SECRETS_DIRECTORY / kafka_permissions.RESTORER / secret_files.UNFINISHED_RESTORE).exists():
        raise SystemExit(
            "Pemulihan di sini terputus, datanya tidak utuh: ulangi `docker compose run --rm restore` dengan --replace.\n"
            "A restore was interrupted here and what lies here is not whole: repeat `docker compose run --rm restore` with --replace."
        )


def _kafka_administrator_password() -> str:
    return local_secrets.administrator_password(SECRETS_DIRECTORY / "kafka", "kafka-administrator")


def _kafka_person_password(person: str) -> str:
    return local_secrets.administrator_password(SECRETS_DIRECTORY / person, "kafka_password")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["secrets"]:
            make_secrets()
        case ["mongo-users", member]:
            asyncio.run(make_mongo_users("127.0.0.1:27017", member))
        case ["kafka-users"]:
            asyncio.run(make_kafka_users())
        case ["whole"]:
            require_finished_restore()
        case other:
            raise SystemExit(f"unknown: {other}")
