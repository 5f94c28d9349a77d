"""The table of public routes, matched by host group and path. Not here: who may use a route."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.host_group import Group

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limits import RateLimitItem

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
IDEMPOTENT_METHODS = frozenset({"GET", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Route:
    """One method and template on one host group.

    `permission` is "METHOD /template"; `roles` are the roles that have it. HEAD uses the route of
    GET.
    """

    group: Group
    service: str
    method: str
    template: str
    body_limit_bytes: int
    rate: RateLimitItem
    deadline_seconds: float
    is_streaming: bool
    is_idempotent: bool
    accepts_basic: bool
    extra_request_headers: frozenset[bytes]
    permission: str
    is_public: bool
    roles: frozenset[str]


@dataclass(slots=True)
class _Node:
    """One segment of the templates of a host group."""

    literals: dict[str, _Node] = field(default_factory=dict[str, "_Node"])
    parameter: _Node | None = None
    routes: dict[str, Route] = field(default_factory=dict[str, Route])

    def find(self, segments: list[str], depth: int) -> dict[str, Route] | None:
        """Return the routes of the path below this node; a literal wins over a parameter."""
        if depth == len(segments):
            return self.routes or None
        literal = self.literals.get(segments[depth])
        if literal is not None:
            routes = literal.find(segments, depth + 1)
            if routes is not None:
                return routes
        if self.parameter is None:
            return None
        return self.parameter.find(segments, depth + 1)

    def enter(self, segment: str) -> _Node:
        """Return the child node of this template segment; create it if necessary."""
        if not segment.startswith("{"):
            return self.literals.setdefault(segment, _Node())
        if self.parameter is None:
            self.parameter = _Node()
        return self.parameter


class RouteTable:
    """A checked, immutable set of routes, with the concurrency limit of each service."""

    def __init__(self, routes: list[Route], concurrency_limits: Mapping[str, int]) -> None:
        self.routes = tuple(routes)
        self.concurrency_limits = dict(concurrency_limits)
        self._roots = {group: _Node() for group in Group}
        for route in routes:
            self._add(route)

    def match(self, group: Group, path: str) -> Mapping[str, Route] | None:
        """Return the routes of this percent-encoded path by method; None if there are none.

        No template but `/` ends with a slash.
        """
        if path.endswith("/") and path != "/":
            return None
        return self._roots[group].find(path.split("/")[1:], 0)

    def for_group(self, group: Group) -> list[Route]:
        """Return the routes that a host group serves."""
        return [route for route in self.routes if route.group is group]

    def _add(self, route: Route) -> None:
        node = self._roots[route.group]
        for segment in route.template.split("/")[1:]:
            node = node.enter(segment)
        node.routes[route.method] = route
        if route.method == "GET":
            node.routes["HEAD"] = route
