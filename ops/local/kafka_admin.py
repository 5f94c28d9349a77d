"""Administers a Kafka with authentication: listeners, topics, SCRAM users, permissions.

Only this module imports confluent_kafka. Not here: who may do what (`kafka_permissions`), and how
a broker is started (`kafka_broker`).
"""

# confluent_kafka.admin documents these names as its own but lists none of them in __all__:
# pyright: reportPrivateImportUsage=false

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from chassis.messaging.kafka_ports import BrokerAccess
from chassis.messaging.kafka_topics import PARTITIONS, RETENTION_DAYS, KafkaUnavailable
from ops.local import topology
from ops.local.kafka_permissions import (
    EXPORTER,
    Permission,
    permissions,
    permissions_of_exporter,
    permissions_of_people,
)

# The broker's settings name the administrator, who therefore exists before any SCRAM user.
ADMINISTRATOR = "administrator"
_ITERATIONS = 8_192
_TIMEOUT_SECONDS = 30.0
_POLL_SECONDS = 0.05
# None means every name, user and host, which the library's types leave out.
_EVERY: Any = None
_ALL_PERMISSIONS = AclBindingFilter(
    ResourceType.ANY,
    _EVERY,
    ResourcePatternType.ANY,
    _EVERY,
    _EVERY,
    AclOperation.ANY,
    AclPermissionType.ANY,
)
_RETENTION_MILLISECONDS = RETENTION_DAYS * 86_400_000
_SCRAM = (
    "org.apache.kafka.common.security.scram.ScramLoginModule required"
    ' username="{0}" password="{1}";'
)
_PLAIN = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required"
    ' username="{0}" password="{1}" user_{0}="{1}";'
)

# Services log in as SCRAM users. The broker itself and its administrator use the loopback only.
_SETTINGS = """\
process.roles=broker,controller
node.id=1
listeners=SERVICES://{host}:{port},ADMINISTRATION://127.0.0.1:{administration},\
CONTROLLER://127.0.0.1:{controller}
advertised.listeners=SERVICES://{known_as}:{port},ADMINISTRATION://127.0.0.1:{administration}
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=ADMINISTRATION
listener.security.protocol.map=SERVICES:SASL_PLAINTEXT,ADMINISTRATION:SASL_PLAINTEXT,\
CONTROLLER:SASL_PLAINTEXT
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.mechanism.controller.protocol=PLAIN
listener.name.services.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.services.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.administration.sasl.enabled.mechanisms=PLAIN
listener.name.administration.plain.sasl.jaas.config={plain}
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config={plain}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:{administrator}
"""


def client(user: str, password: str) -> str:
    """Return the `--command-config` of Kafka's own tools for this user, with the password."""
    return (
        "security.protocol=SASL_PLAINTEXT\n"
        "sasl.mechanism=SCRAM-SHA-512\n"
        f"sasl.jaas.config={_SCRAM.format(user, password)}\n"
    )


def settings(
    password: str, *, host: str, known_as: str, port: int, administration: int, controller: int
) -> str:
    """Return the listeners and the authorizer for server.properties.

    Services connect to `host:port`; the broker advertises the host `known_as`. The text contains
    the administrator's password.
    """
    return _SETTINGS.format(
        plain=_PLAIN.format(ADMINISTRATOR, password),
        administrator=ADMINISTRATOR,
        host=host,
        known_as=known_as,
        port=port,
        administration=administration,
        controller=controller,
    )


def administrator(password: str, administration: int) -> BrokerAccess:
    """Return the administrator's access to a broker on this host."""
    return BrokerAccess(f"127.0.0.1:{administration}", ADMINISTRATOR, password, mechanism="PLAIN")


async def make_users(
    where: BrokerAccess,
    passwords: Mapping[str, str],
    services: Iterable[topology.Service] = topology.PROCESSES,
) -> None:
    """Make the services' topics, their users with these passwords, and their permissions.

    Raises KafkaUnavailable.
    """
    known_services = list(services)
    await ensure_topics(where, [service.topic for service in known_services])
    allowed = [permission for service in known_services for permission in permissions(service)]
    await _admit(where, passwords, allowed)


async def make_people(where: BrokerAccess, passwords: Mapping[str, str]) -> None:
    """Make the operator and the restorer with these passwords. Raises KafkaUnavailable."""
    await _admit(where, passwords, permissions_of_people())


async def make_exporter(where: BrokerAccess, password: str) -> None:
    """Make the user of the exporter with this password. Raises KafkaUnavailable."""
    await _admit(where, {EXPORTER: password}, permissions_of_exporter())


async def ensure_topics(
    where: BrokerAccess, topics: Iterable[str], *, partitions: int = PARTITIONS
) -> None:
    """Make the topics that are missing, with the broker's own number of replicas.

    An existing topic is never changed. Raises KafkaUnavailable.
    """
    wanted = [
        NewTopic(
            topic,
            num_partitions=partitions,
            replication_factor=-1,  # the broker's default
            config={"retention.ms": str(_RETENTION_MILLISECONDS)},
        )
        for topic in topics
    ]
    if not wanted:
        return
    # Keep the reference: a garbage-collected client closes, and its requests fail.
    admin = _admin_client(where)
    created = admin.create_topics(wanted, request_timeout=_TIMEOUT_SECONDS)
    await _await_all(created, ignored={KafkaError.TOPIC_ALREADY_EXISTS})


async def _admit(
    where: BrokerAccess, passwords: Mapping[str, str], allowed: Iterable[Permission]
) -> None:
    """Make or renew users with their SCRAM passwords, and add the permissions.

    Returns once the broker has applied both. Raises KafkaUnavailable.
    """
    admin = _admin_client(where)
    credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
    upsertions = [
        UserScramCredentialUpsertion(user, credential, password.encode())
        for user, password in passwords.items()
    ]
    if upsertions:
        await _await_all(
            admin.alter_user_scram_credentials(upsertions, request_timeout=_TIMEOUT_SECONDS)
        )
    bindings = [_binding(permission) for permission in allowed]
    if bindings:
        await _await_all(admin.create_acls(bindings, request_timeout=_TIMEOUT_SECONDS))
        await _await_applied(admin, set(bindings))


async def _await_applied(admin: Any, bindings: set[AclBinding]) -> None:
    """Wait until the broker lists these permissions. Raises KafkaUnavailable after 30 s.

    The controller confirms a change before the broker applies it. A broker applies changes in
    order, so earlier changes are applied by then too.
    """
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            while True:
                listed = admin.describe_acls(_ALL_PERMISSIONS, request_timeout=_TIMEOUT_SECONDS)
                if bindings <= set(await asyncio.wrap_future(listed)):
                    return
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as error:
        raise KafkaUnavailable("the broker does not apply the permissions") from error
    except KafkaException as error:
        raise KafkaUnavailable(str(error)) from error


def _binding(permission: Permission) -> AclBinding:
    return AclBinding(
        ResourceType[permission.resource.upper()],
        permission.name,
        ResourcePatternType[permission.pattern.upper()],
        f"User:{permission.user}",
        "*",
        AclOperation[permission.operation.upper()],
        AclPermissionType.ALLOW,
    )


def _admin_client(where: BrokerAccess) -> Any:
    options: dict[str, Any] = {"bootstrap.servers": where.bootstrap}
    protocol = "SSL" if where.ca else "PLAINTEXT"
    if where.password:
        protocol = f"SASL_{protocol}"
        options["sasl.mechanism"] = where.mechanism
        options["sasl.username"] = where.user
        options["sasl.password"] = where.password
    if where.ca:
        options["ssl.ca.location"] = str(where.ca)
    return AdminClient({**options, "security.protocol": protocol})


async def _await_all(
    futures: Mapping[Any, Any], ignored: frozenset[int] | set[int] = frozenset()
) -> None:
    """Await every change. Raises KafkaUnavailable with every refused one."""
    outcomes = await asyncio.gather(
        *(asyncio.wrap_future(future) for future in futures.values()), return_exceptions=True
    )
    refusals: list[str] = []
    for outcome in outcomes:
        if isinstance(outcome, KafkaException):
            error = outcome.args[0]
            if error.code() not in ignored:
                refusals.append(f"{error.name()} {error.str()}")
        elif isinstance(outcome, BaseException):
            raise outcome
    if refusals:
        raise KafkaUnavailable("; ".join(refusals))
