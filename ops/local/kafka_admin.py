"""What makes a Kafka ask who comes: listeners with SASL, a user per service and those of people, what each may do. Not here: how a broker is started."""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from chassis.messaging.kafka import BrokerAccess, KafkaUnavailable, ensure_topic
from ops.local import topology

_OPERATIONS, _RESOURCES, _PATTERNS = (
    {"read": 3, "write": 4, "create": 5, "delete": 6},
    {"topic": 2, "group": 3},
    {"literal": 3, "prefixed": 4},
)
_ALLOW, _SCRAM_SHA_512, _ITERATIONS = 3, 2, 8_192
OPERATOR, RESTORER = "operator", "restorer"  # people: who looks, and who puts everything back
ADMINISTRATOR = "administrator"  # known to the broker by its settings, so that it is there before the first user is
_SCRAM = 'org.apache.kafka.common.security.scram.ScramLoginModule required username="{0}" password="{1}";'
_PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="{0}" password="{1}" user_{0}="{1}";'

# Services come as SCRAM users; the broker itself and who administers it over the loopback interface only.
_SETTINGS = """\
process.roles=broker,controller
node.id=1
listeners=SERVICES://{host}:{port},ADMINISTRATION://127.0.0.1:{administration},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=SERVICES://{known_as}:{port},ADMINISTRATION://127.0.0.1:{administration}
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=ADMINISTRATION
listener.security.protocol.map=SERVICES:SASL_PLAINTEXT,ADMINISTRATION:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.mechanism.controller.protocol=PLAIN
listener.name.services.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.services.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.administration.sasl.enabled.mechanisms=PLAIN
listener.name.administration.plain.sasl.jaas.config={plain}
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config={plain}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:{administrator}
"""


class Permission(NamedTuple):
    """That the user may do so with the topic or group of this very name, or with those that begin so. Who may read, write or delete may also ask about it."""

    user: str
    operation: Literal["read", "write", "create", "delete"]
    resource: Literal["topic", "group"]
    name: str
    pattern: Literal["literal", "prefixed"] = "literal"


def client(user: str, password: str) -> str:
    """What Kafka's own tools need to come as this user over the services' listener (`--command-config`). It holds the password."""
    return f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\nsasl.jaas.config={_SCRAM.format(user, password)}\n"


def settings(
    password: str, *, host: str, known_as: str, port: int, administration: int, controller: int
) -> str:
    """The part of server.properties that says who may come, and where: services at `host:port`, found by clients as `known_as`. It holds the administrator's password."""
    plain = _PLAIN.format(ADMINISTRATOR, password)
    where = {
        "host": host,
        "known_as": known_as,
        "port": port,
        "administration": administration,
        "controller": controller,
    }
    return _SETTINGS.format(plain=plain, administrator=ADMINISTRATOR, **where)


def administrator(password: str, administration: int) -> BrokerAccess:
    """How the administrator reaches a broker on this host."""
    return BrokerAccess(f"127.0.0.1:{administration}", ADMINISTRATOR, password, mechanism="PLAIN")


def permissions(service: topology.Service) -> list[Permission]:
    """All that the service may do: write its own topic, read those it listens to, be a member of its own group."""
    reads = [
        Permission(service.name, "read", "topic", f"{name}.events") for name in service.consumes
    ]
    group = [Permission(service.name, "read", "group", service.name)] if service.consumes else []
    return [Permission(service.name, "write", "topic", f"{service.name}.events"), *reads, *group]


def permissions_of_people() -> list[Permission]:
    """All that people may do: look at every topic as a group of nobody's; who restores also makes the topics anew and fills them."""
    topics, found = [f"{service.name}.events" for service in topology.PROCESSES], list[Permission]()
    for user in (OPERATOR, RESTORER):
        found += [Permission(user, "read", "topic", topic) for topic in topics]
        found.append(
            Permission(user, "read", "group", "bina-look-", "prefixed")
        )  # as ops/events/topic_reader.py calls them
    return found + [
        Permission(RESTORER, operation, "topic", topic)
        for operation in ("write", "create", "delete")
        for topic in topics
    ]


async def make_users(
    where: BrokerAccess,
    passwords: Mapping[str, str],
    services: Iterable[topology.Service] = topology.PROCESSES,
) -> None:
    """The services' topics, their users with these passwords, and their permissions. Raises KafkaUnavailable."""
    for service in (known := list(services)):
        await ensure_topic(where, f"{service.name}.events")
    await _admit(
        where, passwords, [permission for service in known for permission in permissions(service)]
    )


async def make_people(where: BrokerAccess, passwords: Mapping[str, str]) -> None:
    """The operator and the restorer with these passwords, and their permissions. Raises KafkaUnavailable."""
    await _admit(where, passwords, permissions_of_people())


async def _admit(
    where: BrokerAccess, passwords: Mapping[str, str], permissions: Iterable[Permission]
) -> None:
    """Make or renew users by name with their SCRAM passwords, and let them do this; what nobody has allowed stays refused."""
    admin: Any = AIOKafkaAdminClient(**where.options())
    try:
        await admin.start()
        answered = await admin._send_to_controller(_NewPasswords(passwords))  # noqa: SLF001 - the only way to send a request that it has no method for
        errors = [(code, message) for _, code, message, _ in answered.results]
        for one in permissions:
            allowed = CreateAclsRequest(
                _RESOURCES[one.resource],
                one.name,
                _PATTERNS[one.pattern],
                f"User:{one.user}",
                "*",
                _OPERATIONS[one.operation],
                _ALLOW,
            )
            errors += (await admin._send_to_controller(allowed)).creation_responses  # noqa: SLF001 - likewise
        if refused := [f"{code} {message}" for code, message in errors if code]:
            raise KafkaUnavailable("; ".join(refused))
    finally:
        await admin.close()


class _ScramAltered(Response):
    API_KEY: ClassVar[int] = 51  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride] - as in every response of aiokafka's own
    API_VERSION: ClassVar[int] = 0  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _AlterScram(RequestStruct):
    FLEXIBLE_VERSION: ClassVar[bool] = True
    API_KEY, API_VERSION, RESPONSE_TYPE = 51, 0, _ScramAltered
    SCHEMA = Schema(
        (
            "deletions",
            CompactArray(
                ("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields)
            ),
        ),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _NewPasswords(Request[_AlterScram]):
    """aiokafka has no request of its own for this (KIP-554)."""

    API_KEY = 51

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = passwords

    def build(self, request_struct_class: type[_AlterScram]) -> _AlterScram:
        rows: list[tuple[Any, ...]] = []
        for user, password in self._passwords.items():
            salt = secrets.token_bytes(32)
            rows.append(
                (
                    user,
                    _SCRAM_SHA_512,
                    _ITERATIONS,
                    salt,
                    hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS),
                    {},
                )
            )
        return request_struct_class([], rows, {})
