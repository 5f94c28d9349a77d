"""Prepares containers: secrets, the replica set, and users in MongoDB and Kafka.

docker-compose.yml runs it as root, as the jobs `secrets`, `mongo-users` and `kafka-users`; the job
`whole` refuses a start after a restore that did not finish. Not here: how the servers are started.
"""

import asyncio
import os
import secrets
import sys
from pathlib import Path

from ops.language import choose
from ops.local import kafka_admin, kafka_permissions, mongo_users, secret_files, topology
from ops.local import secrets as local_secrets

SECRETS_DIRECTORY = Path("/secrets")
SERVICE_UID = 10001  # as in every Dockerfile of ours
# As in the images of the servers. The operator reads with the tools of Kafka's image.
OWNERS = {
    "mongo": 999,
    "kafka": 1000,
    kafka_permissions.OPERATOR: 1000,
}
BACKUP_USER = "keeper"  # the person who makes backups
EXPORTER = kafka_permissions.EXPORTER  # the exporters of MongoDB and Kafka
KAFKA_PORT = 9092
KAFKA_CONTROLLER_PORT = 9093
KAFKA_ADMINISTRATION_PORT = 9094


def make_secrets() -> None:
    """Make missing secrets, each readable only by the process or person that needs it."""
    local_secrets.make_secrets(SECRETS_DIRECTORY)
    for service in topology.PROCESSES:
        local_secrets.kafka_password(SECRETS_DIRECTORY, service.name)
    local_secrets.administrator_password(SECRETS_DIRECTORY / "mongo")
    key = SECRETS_DIRECTORY / "mongo" / "mongod.key"
    if not key.exists():
        secret_files.write_private(key, secrets.token_hex(64))
    key.chmod(0o400)
    listeners = kafka_admin.settings(
        _kafka_administrator_password(),
        host="0.0.0.0",  # noqa: S104 - inside its container
        known_as="kafka",
        port=KAFKA_PORT,
        administration=KAFKA_ADMINISTRATION_PORT,
        controller=KAFKA_CONTROLLER_PORT,
    )
    secret_files.write_private(SECRETS_DIRECTORY / "kafka" / "listeners.properties", listeners)
    for person in kafka_permissions.PEOPLE:
        client = kafka_admin.client(person, _kafka_person_password(person))
        secret_files.write_private(SECRETS_DIRECTORY / person / "client.properties", client)
    _kafka_person_password(EXPORTER)
    for path in SECRETS_DIRECTORY.rglob("*"):
        folder = path.relative_to(SECRETS_DIRECTORY).parts[0]
        owner = OWNERS.get(folder, SERVICE_UID)
        os.chown(path, owner, owner)


async def make_mongo_users(address: str, member: str) -> None:
    """Make the mongod at `address` primary under the name `member`, and create the users.

    There is a user for each service, one for backups and one for the exporter. The job shares the
    network of that mongod.
    """
    password = local_secrets.administrator_password(SECRETS_DIRECTORY / "mongo")
    await mongo_users.make_primary(address, password, member)
    administrator = mongo_users.administrator_url(member, password)
    for service in topology.PROCESSES:
        own_password = local_secrets.mongo_password(SECRETS_DIRECTORY, service.name)
        url = await mongo_users.make_user(administrator, service.name, own_password)
        local_secrets.write_mongo_url(SECRETS_DIRECTORY, service.name, url)
        path = SECRETS_DIRECTORY / service.name / f"{service.name}_mongo_url"
        os.chown(path, SERVICE_UID, SERVICE_UID)
    keeper = await mongo_users.make_backup_user(
        administrator,
        [service.name for service in topology.PROCESSES],
        local_secrets.administrator_password(SECRETS_DIRECTORY / BACKUP_USER, "mongo-password"),
    )
    exporter = await mongo_users.make_exporter_user(
        administrator,
        local_secrets.administrator_password(SECRETS_DIRECTORY / EXPORTER, "mongo-password"),
    )
    for person, url in (
        (BACKUP_USER, keeper),
        (kafka_permissions.RESTORER, administrator),
        (EXPORTER, exporter),
    ):
        path = SECRETS_DIRECTORY / person / "mongo_url"
        secret_files.write_private(path, url)
        os.chown(path, SERVICE_UID, SERVICE_UID)


async def make_kafka_users() -> None:
    """Make topics, users and permissions in Kafka.

    The job shares the network of the broker, whose administration listens on the loopback only.
    """
    administrator = kafka_admin.administrator(
        _kafka_administrator_password(), KAFKA_ADMINISTRATION_PORT
    )
    names = [service.name for service in topology.PROCESSES]
    passwords = {name: local_secrets.kafka_password(SECRETS_DIRECTORY, name) for name in names}
    await kafka_admin.make_users(administrator, passwords)
    people = {person: _kafka_person_password(person) for person in kafka_permissions.PEOPLE}
    await kafka_admin.make_people(administrator, people)
    await kafka_admin.make_exporter(administrator, _kafka_person_password(EXPORTER))


def require_finished_restore() -> None:
    """End with a message if the last restore into these volumes did not finish."""
    restorer = SECRETS_DIRECTORY / kafka_permissions.RESTORER
    if (restorer / secret_files.UNFINISHED_RESTORE).exists():
        raise SystemExit(
            choose(
                "Pemulihan di sini terputus, datanya tidak utuh: ulangi"
                " `docker compose run --rm restore` dengan --replace.",
                "A restore was interrupted here and the data are incomplete: repeat"
                " `docker compose run --rm restore` with --replace.",
            )
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
