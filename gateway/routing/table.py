"""The table of public routes: read from routes.toml, checked, matched, swapped whole. Not here: who may use a route (permissions/)."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, cast

from limits import RateLimitItem, parse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.access.permissions import PUBLIC, RolePermissions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Group(StrEnum):
    """A host group: who is served there, with its own OpenAPI document, errors and headers."""

    STAFF = "staff"
    SHOP = "shop"
    CERTIFICATE = "certificate"
    PARTNER = "partner"


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE"})
CERTIFICATE_PATHS = (
    "/V/",
    "/v/",
    "/i/",
    "/l/",
    "/s/",
)  # printed on paper and named in credentials (certification.md 2, 7)
HEADERS_NEVER_PASSED = frozenset(
    {
        "authorization",
        "cookie",
        "host",
        "forwarded",
        "x-request-deadline",
        "x-request-id",
        "traceparent",
        "tracestate",
    }
)
_UNITS = {"B": 1, "KiB": 1024, "MiB": 1024 * 1024}
_LITERAL = re.compile(r"[A-Za-z0-9._~-]+")
_PARAMETER = re.compile(r"\{[a-z][a-z0-9_]*\}")
_HEADER = re.compile(r"[a-z][a-z0-9-]*")
_RATE = re.compile(r"[1-9][0-9]{0,8}/(?:second|minute|hour|day)")


class RoutesInvalid(Exception):
    """The file cannot be used; `problems` names everything that is wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Route:
    """One method and template on one host group. `body_limit` in bytes, `deadline` in seconds, `canary` in percent; `roles` may use it."""

    group: Group
    service: str
    method: str
    template: str
    body_limit_bytes: int
    rate: RateLimitItem
    deadline_seconds: float
    is_streaming: bool
    is_idempotent: bool
    extra_request_headers: frozenset[bytes]
    canary: int
    permission: str
    is_public: bool
    roles: frozenset[str]


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict[str, "_Node"])
    parameter: _Node | None = None
    routes: dict[str, Route] = field(default_factory=dict[str, Route])

    def find(self, segments: list[str], depth: int) -> dict[str, Route] | None:
        """The routes of the path from here on; a literal wins over a parameter."""
        if depth == len(segments):
            return self.routes or None
        literal = self.literals.get(segments[depth])
        found = literal.find(segments, depth + 1) if literal else None
        if found is None and self.parameter is not None:
            found = self.parameter.find(segments, depth + 1)
        return found


class RouteTable:
    """A checked, immutable set of routes."""

    def __init__(self, routes: list[Route], concurrency_limits: Mapping[str, int]) -> None:
        self.routes = tuple(routes)
        self.concurrency_limits = dict(concurrency_limits)
        self._roots = {group: _Node() for group in Group}
        for route in routes:
            node = self._roots[route.group]
            for segment in route.template.split("/")[1:]:
                if segment.startswith("{"):
                    node.parameter = node.parameter or _Node()
                    node = node.parameter
                else:
                    node = node.literals.setdefault(segment, _Node())
            node.routes[route.method] = route

    def match(self, group: Group, path: str) -> Mapping[str, Route] | None:
        """The routes of this still percent-encoded path by method, or None where the group has no such path: none ends with a slash."""
        return None if path.endswith("/") else self._roots[group].find(path.split("/")[1:], 0)

    def for_group(self, group: Group) -> list[Route]:
        """The routes that a host group serves."""
        return [route for route in self.routes if route.group is group]


class _RouteBlock(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    hosts: Annotated[list[str], Field(min_length=1)]
    paths: Annotated[list[str], Field(min_length=1)]
    body: str = "1 MiB"
    rate: str = "300/minute"
    deadline: Annotated[float, Field(gt=0, le=300)] = 10.0
    public: bool = False
    streaming: bool = False
    idempotent: bool = False
    headers: list[str] = []
    canary: Annotated[int, Field(ge=0, le=100)] = 0


def parse_routes(text: str, role_permissions: RolePermissions) -> RouteTable:
    """The table that this text describes, with the roles that the rules give each route; RoutesInvalid names all that is wrong."""
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RoutesInvalid([f"not TOML: {error}"]) from None
    reader = _RouteParser(role_permissions)
    table = reader.parse_table(content)
    if reader.problems:
        raise RoutesInvalid(reader.problems)
    return table


class _RouteParser:
    """Collects the problems of one file while it reads it."""

    def __init__(self, role_permissions: RolePermissions) -> None:
        self.role_permissions = role_permissions
        self.problems: list[str] = []

    def parse_table(self, content: dict[str, Any]) -> RouteTable:
        in_flight = self._parse_concurrency_limits(content.pop("service", {}))
        routes: list[Route] = []
        for service, blocks in content.items():
            if service not in self.role_permissions.by_service:
                self.problems.append(
                    f"[[{service}]]: no such service; known are {', '.join(self.role_permissions.by_service)}"
                )
            elif not isinstance(blocks, list):
                self.problems.append(
                    f"[{service}]: write [[{service}]], a service has several blocks"
                )
            else:
                routes += [
                    route
                    for number, block in enumerate(cast("list[object]", blocks), 1)
                    for route in self._parse_block(service, f"[[{service}]] block {number}", block)
                ]
        self._check_ambiguities(routes)
        return RouteTable(routes, in_flight)

    def _parse_concurrency_limits(self, limits: object) -> dict[str, int]:
        known = dict.fromkeys(self.role_permissions.by_service, 0)
        if not isinstance(limits, dict):
            self.problems.append("[service]: a table of service = most requests in flight")
            return known
        for service, cap in cast("dict[str, object]", limits).items():
            if service not in known:
                self.problems.append(f"[service] {service}: no such service")
            elif not isinstance(cap, int) or isinstance(cap, bool) or cap < 1:
                self.problems.append(f"[service] {service}: a whole number above 0 is needed")
            else:
                known[service] = cap
        self.problems += [
            f"[service] {service}: missing"
            for service, cap in known.items()
            if cap == 0 and service not in limits
        ]
        return known

    def _parse_block(self, service: str, block_name: str, content: object) -> Iterator[Route]:
        try:
            block = _RouteBlock.model_validate(content)
        except ValidationError as error:
            self.problems += [
                f"{block_name}, {'.'.join(map(str, problem['loc']))}: {problem['msg']}"
                for problem in error.errors()
            ]
            return
        body, rate = (
            self._parse_size(block_name, block.body),
            self._parse_rate(block_name, block.rate),
        )
        groups = [Group(host) for host in block.hosts if host in set(Group)]
        self.problems += [
            f"{block_name}, hosts: {host} is none of {', '.join(Group)}"
            for host in block.hosts
            if host not in set(Group)
        ]
        self.problems += [
            f"{block_name}, headers: {name} never passes or is not a lower-case header name"
            for name in block.headers
            if not _is_passable_header(name)
        ]
        for path in block.paths:
            *methods, template = path.split() or [""]
            self.problems += self._find_path_problems(block_name, path, methods, template, groups)
            if body is None or rate is None:
                continue
            for group in groups:
                for method in methods:
                    permission = f"{method} {template}"
                    roles = self.role_permissions.roles_for(service, permission)
                    yield Route(
                        group=group,
                        service=service,
                        method=method,
                        template=template,
                        body_limit_bytes=body,
                        rate=rate,
                        deadline_seconds=block.deadline,
                        is_streaming=block.streaming,
                        is_idempotent=block.idempotent or method in IDEMPOTENT_METHODS,
                        extra_request_headers=frozenset(name.encode() for name in block.headers),
                        canary=block.canary,
                        permission=permission,
                        is_public=block.public and PUBLIC in roles,
                        roles=roles,
                    )

    def _find_path_problems(
        self, block_name: str, path: str, methods: list[str], template: str, groups: list[Group]
    ) -> Iterator[str]:
        if not methods:
            yield f"{block_name}: {path!r} names no method"
        yield from (
            f"{block_name}: {path!r}: {method} is none of {', '.join(METHODS)}"
            for method in methods
            if method not in METHODS
        )
        segments = template.split("/")[1:]
        if not template.startswith("/") or not all(
            _LITERAL.fullmatch(segment) or _PARAMETER.fullmatch(segment) for segment in segments
        ):
            yield f"{block_name}: {path!r}: a segment is a literal or exactly one {{parameter}}"
        if len({segment for segment in segments if segment.startswith("{")}) < sum(
            segment.startswith("{") for segment in segments
        ):
            yield f"{block_name}: {path!r} names a parameter twice"
        for group in groups:
            allowed = ("/v1/", *CERTIFICATE_PATHS) if group is Group.CERTIFICATE else ("/v1/",)
            if not template.startswith(allowed):
                yield f"{block_name}: {path!r}: on {group} a path starts with {' '.join(allowed)}"

    def _check_ambiguities(self, routes: list[Route]) -> None:
        same_shape: dict[tuple[Group, str, str], list[Route]] = defaultdict(list)
        for route in routes:
            same_shape[
                route.group, route.method, re.sub(r"\{[^}]*\}", "{}", route.template)
            ].append(route)
        for (group, method, _), rivals in same_shape.items():
            if len(rivals) > 1:
                self.problems.append(
                    f"{group}: {method} is routed more than once: {', '.join(f'{rival.template} ({rival.service})' for rival in rivals)}"
                )

    def _parse_size(self, block_name: str, text: str) -> int | None:
        number, _, unit = text.partition(" ")
        if not number.isdecimal() or unit not in _UNITS:
            self.problems.append(f"{block_name}, body: {text!r} is not a size like '1 MiB'")
            return None
        return int(number) * _UNITS[unit]

    def _parse_rate(self, block_name: str, text: str) -> RateLimitItem | None:
        if not _RATE.fullmatch(text):
            self.problems.append(f"{block_name}, rate: {text!r} is not a rate like '300/minute'")
            return None
        return parse(text)


def _is_passable_header(header: str) -> bool:
    return bool(_HEADER.fullmatch(header)) and header not in HEADERS_NEVER_PASSED
