"""The OpenAPI document of each host group: what its routes say in the services' own documents, and nothing else. Not here: the page that shows it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import structlog

from chassis.texts import is_neutral
from gateway.host_group import Group
from gateway.openapi.reference_page import render_page
from gateway.problems import CONTENT_TYPE, UpstreamUnavailable

if TYPE_CHECKING:
    from gateway.routing.reloader import RouteReloader
    from gateway.routing.table import Route

CACHE_SECONDS = 60.0
Document = dict[str, Any]
Fetch = Callable[[str], Awaitable[Mapping[str, Any]]]
_REFERENCE_PREFIX = "#/components/schemas/"
_PROSE_MEMBERS = frozenset(
    {"description", "summary", "title", "example", "examples", "default", "const", "enum"}
)
_TITLES = {
    Group.STAFF: "Bina: petugas",
    Group.SHOP: "Bina: toko",
    Group.CERTIFICATE: "Pemeriksaan sertifikat",
    Group.PARTNER: "Bina: mitra",
}
_PROBLEM_RESPONSE: Document = {
    "description": "Permintaan tidak dapat dijalankan (RFC 9457)",
    "content": {
        CONTENT_TYPE.decode(): {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "code", "request_id"],
                "properties": {
                    name: {"type": "string"}
                    for name in ("type", "title", "code", "detail", "field", "request_id")
                }
                | {"status": {"type": "integer"}},
            }
        }
    },
}
_PROBLEM_RESPONSES = {
    status: {"$ref": "#/components/responses/problem"} for status in ("4XX", "5XX")
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RenderedDocument:
    """A group's document and its page, as bytes."""

    document: bytes
    page: bytes


class Documents:
    """Merges and remembers, per group, for 60 s. `fetch(service)` gives a service's own document; after UpstreamUnavailable the last one serves."""

    def __init__(self, routes: RouteReloader, fetch: Fetch, clock: Callable[[], float]) -> None:
        self._routes, self._fetch, self._clock = routes, fetch, clock
        self._service_documents: dict[str, Mapping[str, Any]] = {}
        self._rendered: dict[Group, tuple[int, float, RenderedDocument]] = {}
        self._lock = asyncio.Lock()

    async def for_group(self, group: Group) -> RenderedDocument:
        """What the group shows now."""
        async with self._lock:
            known = self._rendered.get(group)
            if known is None or known[0] != self._routes.generation or known[1] < self._clock():
                known = (
                    self._routes.generation,
                    self._clock() + CACHE_SECONDS,
                    await self._render(group),
                )
                self._rendered[group] = known
            return known[2]

    async def _render(self, group: Group) -> RenderedDocument:
        routes = self._routes.table.for_group(group)
        for service in {route.service for route in routes}:
            try:
                self._service_documents[service] = await self._fetch(service)
            except UpstreamUnavailable:
                log.warning("no document from a service, the last one serves", service=service)
        document = build_document(group, routes, self._service_documents)
        return RenderedDocument(
            json.dumps(document, ensure_ascii=False).encode(), render_page(document).encode()
        )


def build_document(
    group: Group, routes: Iterable[Route], service_documents: Mapping[str, Mapping[str, Any]]
) -> Document:
    """The document of these routes as the group may see it."""
    document = merge_documents(group, routes, service_documents)
    return remove_denied_words(document) if group is Group.CERTIFICATE else document


def merge_documents(
    group: Group, routes: Iterable[Route], service_documents: Mapping[str, Mapping[str, Any]]
) -> Document:
    """One OpenAPI 3.1 document of these routes. A service's schemas carry its name, so that two of one name never meet."""
    paths: Document = {}
    schemas: Document = {}
    for route in routes:
        source = service_documents.get(route.service, {})
        operation = _build_operation(
            route,
            cast(
                "Document",
                source.get("paths", {}).get(route.template, {}).get(route.method.lower(), {}),
            ),
        )
        _collect_schemas(
            operation,
            route.service,
            cast("Document", source.get("components", {}).get("schemas", {})),
            schemas,
        )
        operation["responses"] |= _PROBLEM_RESPONSES
        paths.setdefault(route.template, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLES[group], "version": "1"},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": {"problem": _PROBLEM_RESPONSE},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


def remove_denied_words(document: Document) -> Document:
    """The document without any prose that holds a word of the deny list. What then still holds one is not shown at all (certification.md 14.1)."""
    cleaned = cast("Document", _strip_denied_prose(document))
    if is_neutral(json.dumps(cleaned, ensure_ascii=False)):
        return cleaned
    log.error("the certificate host's document holds a word of the deny list and is withheld")
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLES[Group.CERTIFICATE], "version": "1"},
        "paths": {},
    }


def _build_operation(route: Route, service_operation: Document) -> Document:
    """The service's operation as the door offers it."""
    found = cast("Document", _prefix_references(service_operation, route.service))
    parameters = [
        one
        for one in cast("list[Document]", found.pop("parameters", []))
        if route.method == "POST" or one["name"] != "idempotency-key"
    ]
    return found | {
        "tags": [
            route.template.split("/")[2] if route.template.startswith("/v1/") else "sertifikat"
        ],
        "security": [] if route.is_public else [{"token": []}],
        "operationId": f"{route.method.lower()}{re.sub(r'[^A-Za-z0-9]+', '_', route.template)}",
        "responses": {
            status: answer
            for status, answer in found.get("responses", {}).items()
            if status != "422"
        },
        **({"parameters": parameters} if parameters else {}),
    }


def _prefix_references(node: Any, service: str) -> Any:
    """The node with its schema references carrying the service's name."""
    if isinstance(node, dict):
        items = cast("Document", node).items()
        return {
            name: f"{_REFERENCE_PREFIX}{service}.{value.removeprefix(_REFERENCE_PREFIX)}"
            if name == "$ref" and isinstance(value, str)
            else _prefix_references(value, service)
            for name, value in items
        }
    return (
        [_prefix_references(item, service) for item in cast("list[Any]", node)]
        if isinstance(node, list)
        else node
    )


def _collect_schemas(
    node: Any, service: str, service_schemas: Mapping[str, Any], schemas: Document
) -> None:
    """Take in the schemas that the node refers to, and those that they refer to."""
    for name in set(_find_references(node)):
        if name not in schemas:
            schemas[name] = _prefix_references(
                service_schemas.get(name.removeprefix(f"{service}."), {}), service
            )
            _collect_schemas(schemas[name], service, service_schemas, schemas)


def _find_references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in cast("Document", node).items():
            if name == "$ref" and isinstance(value, str):
                yield value.removeprefix(_REFERENCE_PREFIX)
            else:
                yield from _find_references(value)
    elif isinstance(node, list):
        for item in cast("list[Any]", node):
            yield from _find_references(item)


def _strip_denied_prose(node: Any) -> Any:
    if isinstance(node, dict):
        items = cast("Document", node).items()
        return {
            name: _strip_denied_prose(value)
            for name, value in items
            if name not in _PROSE_MEMBERS or is_neutral(json.dumps(value, ensure_ascii=False))
        }
    return (
        [_strip_denied_prose(item) for item in cast("list[Any]", node)]
        if isinstance(node, list)
        else node
    )
