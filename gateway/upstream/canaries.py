"""Who tries a service's next version first: always the same subjects, so that nobody sees both in turn. Not here: where it answers (settings)."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.routing.table import Route


def canary_of(service: str) -> str:
    """The name of a service's next version, where connections and breakers are kept by name."""
    return f"{service}-canary"


def is_chosen(route: Route, subject: str) -> bool:
    """Whether this subject is among the route's share: who is in a small one is also in every larger one."""
    return int.from_bytes(sha256(subject.encode()).digest()[:4]) % 100 < route.canary
