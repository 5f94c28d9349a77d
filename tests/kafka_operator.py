"""Kafka users of people, and the permissions that docs/operations.md lists for them.

Not here: what they do there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from chassis.messaging.kafka_ports import BrokerAccess
from ops.local import kafka_admin, kafka_permissions

PAGE = (Path(__file__).parents[1] / "docs/operations.md").read_text()


class Row(NamedTuple):
    """One permission on one resource."""

    resource: str
    pattern: str
    name: str
    operation: str
    purpose: str


def listed() -> Iterator[Row]:
    """Yield the rows of the table of permissions."""
    table = PAGE.partition("| Resource | Pattern | Names | Operations | For |\n")[2].partition(
        "\n\n"
    )[0]
    for line in table.splitlines()[1:]:
        resource, pattern, names, operations, purpose = (
            cell.strip() for cell in line.strip("|").split("|")
        )
        for name in re.findall(r"`([^`]+)`", names):
            yield from (
                Row(resource, pattern, name, operation.strip(), purpose)
                for operation in operations.split(",")
            )


async def admit(administrator: BrokerAccess, password: str) -> None:
    """Create the users of people, as compose does."""
    await kafka_admin.make_people(administrator, dict.fromkeys(kafka_permissions.PEOPLE, password))
