"""An operator's user at a broker that asks who comes, with the permissions that docs/operations.md lists and no others. Not here: what he does there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka.protocol.admin import CreateAclsRequest

from chassis.kafka import Access, administering
from ops import kafka_setup

PAGE = (Path(__file__).parents[1] / "docs/operations.md").read_text()
USER = "operator"
_RESOURCES, _PATTERNS, _OPERATIONS, _ALLOW = {"topic": 2, "group": 3}, {"literal": 3, "prefixed": 4}, {"read": 3, "write": 4, "create": 5, "delete": 6}, 3


class Row(NamedTuple):
    """One permission on one resource."""

    resource: str
    pattern: str
    name: str
    operation: str
    purpose: str


def listed() -> Iterator[Row]:
    """The rows of the table of permissions."""
    table = PAGE.partition("| Resource | Pattern | Names | Operations | For |\n")[2].partition("\n\n")[0]
    for line in table.splitlines()[1:]:
        resource, pattern, names, operations, purpose = (cell.strip() for cell in line.strip("|").split("|"))
        for name in re.findall(r"`([^`]+)`", names):
            yield from (Row(resource, pattern, name, operation.strip(), purpose) for operation in operations.split(","))


async def admit(administrator: Access, password: str, *, without: str = "") -> None:
    """Make the user, who may do what is listed, but for the rows whose purpose is `without`."""
    await kafka_setup.make_users(administrator, {USER: password}, ())
    async with administering(administrator) as admin:
        for row in listed():
            if not without or without not in row.purpose:
                allowed: Any = CreateAclsRequest(_RESOURCES[row.resource], row.name, _PATTERNS[row.pattern], f"User:{USER}", "*", _OPERATIONS[row.operation], _ALLOW)
                answered = await admin._send_to_controller(allowed)  # noqa: SLF001 - as ops/kafka_setup.py does
                assert [code for code, _ in answered.creation_responses] == [0]
