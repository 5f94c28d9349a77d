"""Reads and checks routes.toml. Not here: how a route is matched (table)."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from typing import TYPE_CHECKING, Annotated, Any, cast

from limits import RateLimitItem, parse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.access.permissions import PUBLIC, RolePermissions
from gateway.host_group import Group
from gateway.routing.table import IDEMPOTENT_METHODS, METHODS, Route, RouteTable

if TYPE_CHECKING:
    from collections.abc import Iterator

# Printed on paper and named in credentials (certification.md 2, 7).
CERTIFICATE_PATHS = ("/V/", "/v/", "/i/", "/l/", "/s/")
# The page with the field for a code, and the address to which its form leads.
CERTIFICATE_FORM_PATHS = frozenset({"/", "/V"})
HEADERS_NEVER_PASSED = frozenset(
    {
        "authorization",
        "client-authorization",
        "cookie",
        "host",
        "forwarded",
        "x-client-address",
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
    """The file cannot be used; `problems` lists every mistake in it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class _RouteBlock(BaseModel):
    """A block of routes.toml; the head of that file explains the fields."""

    model_config = ConfigDict(extra="forbid", strict=True)

    hosts: Annotated[list[str], Field(min_length=1)]
    paths: Annotated[list[str], Field(min_length=1)]
    body: str = "1 MiB"
    rate: str = "300/minute"
    deadline: Annotated[float, Field(gt=0, le=300)] = 10.0
    public: bool = False
    streaming: bool = False
    idempotent: bool = False
    basic: bool = False
    headers: list[str] = []


def parse_routes(text: str, role_permissions: RolePermissions) -> RouteTable:
    """Return the table of this text, with the roles that the permissions give each route.

    Raises RoutesInvalid with every problem.
    """
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RoutesInvalid([f"not TOML: {error}"]) from None
    parser = _RouteParser(role_permissions)
    table = parser.parse_table(content)
    if parser.problems:
        raise RoutesInvalid(parser.problems)
    return table


class _RouteParser:
    """Collects the problems of one file while it reads it."""

    def __init__(self, role_permissions: RolePermissions) -> None:
        self.role_permissions = role_permissions
        self.problems: list[str] = []

    def parse_table(self, content: dict[str, Any]) -> RouteTable:
        """Return the table of the file; it is complete only if there are no problems."""
        limits = self._parse_concurrency_limits(content.pop("service", {}))
        routes: list[Route] = []
        for service, blocks in content.items():
            routes += self._parse_service(service, blocks)
        self._check_ambiguities(routes)
        return RouteTable(routes, limits)

    def _parse_concurrency_limits(self, section: object) -> dict[str, int]:
        limits = dict.fromkeys(self.role_permissions.by_service, 0)
        if not isinstance(section, dict):
            self.problems.append("[service]: must be a table: service = maximum requests in flight")
            return limits
        given_limits = cast("dict[str, object]", section)
        for service, limit in given_limits.items():
            if service not in limits:
                self.problems.append(f"[service] {service}: no such service")
            elif not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
                self.problems.append(f"[service] {service}: a whole number above 0 is needed")
            else:
                limits[service] = limit
        missing = [service for service in limits if service not in given_limits]
        self.problems += [f"[service] {service}: missing" for service in missing]
        return limits

    def _parse_service(self, service: str, blocks: object) -> Iterator[Route]:
        if service not in self.role_permissions.by_service:
            known = ", ".join(self.role_permissions.by_service)
            self.problems.append(f"[[{service}]]: no such service; known are {known}")
            return
        if not isinstance(blocks, list):
            self.problems.append(f"[{service}]: write [[{service}]], a service has several blocks")
            return
        for number, content in enumerate(cast("list[object]", blocks), 1):
            yield from self._parse_block(service, f"[[{service}]] block {number}", content)

    def _parse_block(self, service: str, block_name: str, content: object) -> Iterator[Route]:
        try:
            block = _RouteBlock.model_validate(content)
        except ValidationError as error:
            for problem in error.errors():
                field_name = ".".join(map(str, problem["loc"]))
                self.problems.append(f"{block_name}, {field_name}: {problem['msg']}")
            return
        body_limit_bytes = self._parse_size(block_name, block.body)
        rate = self._parse_rate(block_name, block.rate)
        groups = self._parse_groups(block_name, block.hosts)
        self._check_headers(block_name, block.headers)
        for path in block.paths:
            *methods, template = path.split() or [""]
            self.problems += _find_path_problems(f"{block_name}: {path!r}", methods, template)
            self.problems += _find_prefix_problems(f"{block_name}: {path!r}", template, groups)
            if body_limit_bytes is None or rate is None:
                continue
            for group in groups:
                for method in methods:
                    yield self._build_route(
                        service, group, method, template, block, body_limit_bytes, rate
                    )

    def _build_route(
        self,
        service: str,
        group: Group,
        method: str,
        template: str,
        block: _RouteBlock,
        body_limit_bytes: int,
        rate: RateLimitItem,
    ) -> Route:
        permission = f"{method} {template}"
        roles = self.role_permissions.roles_for(service, permission)
        return Route(
            group=group,
            service=service,
            method=method,
            template=template,
            body_limit_bytes=body_limit_bytes,
            rate=rate,
            deadline_seconds=block.deadline,
            is_streaming=block.streaming,
            is_idempotent=block.idempotent or method in IDEMPOTENT_METHODS,
            accepts_basic=block.basic,
            extra_request_headers=frozenset(name.encode() for name in block.headers),
            permission=permission,
            is_public=block.public and PUBLIC in roles,
            roles=roles,
        )

    def _parse_groups(self, block_name: str, hosts: list[str]) -> list[Group]:
        groups: list[Group] = []
        for host in hosts:
            if host in set(Group):
                groups.append(Group(host))
            else:
                known = ", ".join(Group)
                self.problems.append(f"{block_name}, hosts: {host} is none of {known}")
        return groups

    def _check_headers(self, block_name: str, headers: list[str]) -> None:
        for name in headers:
            if name in HEADERS_NEVER_PASSED or not _HEADER.fullmatch(name):
                self.problems.append(
                    f"{block_name}, headers: {name} never passes or is not a lower-case header name"
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

    def _check_ambiguities(self, routes: list[Route]) -> None:
        """Refuse templates that differ only in the names of their parameters."""
        same_shape: dict[tuple[Group, str, str], list[Route]] = defaultdict(list)
        for route in routes:
            shape = re.sub(r"\{[^}]*\}", "{}", route.template)
            same_shape[route.group, route.method, shape].append(route)
        for (group, method, _), rivals in same_shape.items():
            if len(rivals) > 1:
                names = ", ".join(f"{rival.template} ({rival.service})" for rival in rivals)
                self.problems.append(f"{group}: {method} is routed more than once: {names}")


def _find_path_problems(where: str, methods: list[str], template: str) -> Iterator[str]:
    if not methods:
        yield f"{where} names no method"
    for method in methods:
        if method not in METHODS:
            yield f"{where}: {method} is none of {', '.join(METHODS)}"
    segments = [] if template == "/" else template.split("/")[1:]
    if not template.startswith("/") or not all(map(_is_segment, segments)):
        yield f"{where}: a segment is a literal or exactly one {{parameter}}"
    parameters = [segment for segment in segments if segment.startswith("{")]
    if len(set(parameters)) < len(parameters):
        yield f"{where} names a parameter twice"


def _find_prefix_problems(where: str, template: str, groups: list[Group]) -> Iterator[str]:
    for group in groups:
        allowed = ("/v1/",)
        if group is Group.CERTIFICATE and template in CERTIFICATE_FORM_PATHS:
            continue
        if group is Group.CERTIFICATE:
            allowed = ("/v1/", *CERTIFICATE_PATHS)
        if not template.startswith(allowed):
            yield f"{where}: on {group} a path starts with {' '.join(allowed)}"


def _is_segment(segment: str) -> bool:
    return bool(_LITERAL.fullmatch(segment) or _PARAMETER.fullmatch(segment))
