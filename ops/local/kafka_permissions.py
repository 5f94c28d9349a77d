"""Kafka users and their permissions, from the topology table; everything else is denied.

Not here: how they are set in the broker (`kafka_admin`, and `ops/docs/kubernetes` for Strimzi).
"""

from typing import Literal, NamedTuple

from ops.local import topology

OPERATOR = "operator"  # a person who reads topics
RESTORER = "restorer"  # a person who restores a backup
PEOPLE = (OPERATOR, RESTORER)
EXPORTER = "exporter"  # the exporter of compose; Strimzi runs its own
OPERATOR_GROUP_PREFIX = "bina-look-"  # as ops/events/topic_reader.py names its groups


class Permission(NamedTuple):
    """An operation that a user may do with a topic or group, or with all of a prefix.

    Permission to read, write or delete a topic implies permission to describe it.
    """

    user: str
    operation: Literal["read", "write", "create", "delete", "describe"]
    resource: Literal["topic", "group"]
    name: str
    pattern: Literal["literal", "prefixed"] = "literal"


def permissions(service: topology.Service) -> list[Permission]:
    """Return what a service may do: write its topic, read those it consumes, join its group."""
    own = Permission(service.name, "write", "topic", service.topic)
    if not service.consumes:
        return [own]
    topics = [topology.topic_of(name) for name in service.consumes]
    reads = [Permission(service.name, "read", "topic", topic) for topic in topics]
    return [own, *reads, Permission(service.name, "read", "group", service.name)]


def permissions_of_people() -> list[Permission]:
    """Return what people may do: read every topic; the restorer also replaces the topics."""
    topics = [service.topic for service in topology.PROCESSES]
    allowed: list[Permission] = []
    for user in PEOPLE:
        allowed += [Permission(user, "read", "topic", topic) for topic in topics]
        allowed.append(Permission(user, "read", "group", OPERATOR_GROUP_PREFIX, "prefixed"))
    for topic in topics:
        allowed.append(Permission(RESTORER, "write", "topic", topic))
        allowed.append(Permission(RESTORER, "create", "topic", topic))
        allowed.append(Permission(RESTORER, "delete", "topic", topic))
    return allowed


def permissions_of_exporter() -> list[Permission]:
    """Return what the exporter may do: see partitions and their copies, and read no record."""
    return [
        Permission(EXPORTER, "describe", "topic", service.topic) for service in topology.PROCESSES
    ]
