"""Merges the services' OpenAPI documents into one per host group.

Not here: caching (documents).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import structlog

from chassis.texts import is_neutral
from gateway.host_group import Group
from gateway.problems import CONTENT_TYPE

if TYPE_CHECKING:
    from gateway.routing.table import Route

Document = dict[str, Any]
OPENAPI_VERSION = "3.1.0"
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
_PROBLEM_TEXT_MEMBERS = ("type", "title", "code", "detail", "field", "request_id")
_PROBLEM_SCHEMA: Document = {
    "type": "object",
    "required": ["type", "title", "status", "code", "request_id"],
    "properties": {
        **{name: {"type": "string"} for name in _PROBLEM_TEXT_MEMBERS},
        "status": {"type": "integer"},
    },
}
_PROBLEM_RESPONSE: Document = {
    "description": "Permintaan tidak dapat dijalankan (RFC 9457)",
    "content": {CONTENT_TYPE.decode(): {"schema": _PROBLEM_SCHEMA}},
}
_PROBLEM_RESPONSES = {
    status: {"$ref": "#/components/responses/problem"} for status in ("4XX", "5XX")
}
_TOKEN_SCHEME = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}

log = structlog.get_logger(__name__)


def build_document(
    group: Group, routes: Iterable[Route], service_documents: Mapping[str, Mapping[str, Any]]
) -> Document:
    """Return the document of these routes; for the certificate host without denied words."""
    document = merge_documents(group, routes, service_documents)
    return remove_denied_words(document) if group is Group.CERTIFICATE else document


def merge_documents(
    group: Group, routes: Iterable[Route], service_documents: Mapping[str, Mapping[str, Any]]
) -> Document:
    """Return one OpenAPI document of these routes.

    The names of schemas get the service's name as prefix, so that they do not collide.
    """
    paths: Document = {}
    schemas: Document = {}
    for route in routes:
        service_document = service_documents.get(route.service, {})
        operation = _build_operation(route, _find_operation(service_document, route))
        service_schemas = cast(
            "Document", service_document.get("components", {}).get("schemas", {})
        )
        _collect_schemas(operation, route.service, service_schemas, schemas)
        operation["responses"] |= _PROBLEM_RESPONSES
        paths.setdefault(route.template, {})[route.method.lower()] = operation
    return {
        "openapi": OPENAPI_VERSION,
        "info": {"title": _TITLES[group], "version": "1"},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": {"problem": _PROBLEM_RESPONSE},
            "securitySchemes": {"token": _TOKEN_SCHEME},
        },
    }


def remove_denied_words(document: Document) -> Document:
    """Return the document without prose that contains a denied word (certification.md 14.1).

    If a denied word remains, return a document without paths.
    """
    cleaned = cast("Document", _strip_denied_prose(document))
    if is_neutral(json.dumps(cleaned, ensure_ascii=False)):
        return cleaned
    log.error("the certificate host's document contains a denied word and is not published")
    return {
        "openapi": OPENAPI_VERSION,
        "info": {"title": _TITLES[Group.CERTIFICATE], "version": "1"},
        "paths": {},
    }


def _find_operation(service_document: Mapping[str, Any], route: Route) -> Document:
    operations = service_document.get("paths", {}).get(route.template, {})
    return cast("Document", operations.get(route.method.lower(), {}))


def _build_operation(route: Route, service_operation: Document) -> Document:
    """Return the service's operation with the gateway's security, tag, id and references."""
    operation = cast("Document", _prefix_references(service_operation, route.service))
    # Only POST reads an Idempotency-Key.
    parameters = [
        parameter
        for parameter in cast("list[Document]", operation.pop("parameters", []))
        if route.method == "POST" or parameter["name"] != "idempotency-key"
    ]
    # The problem response 4XX covers it.
    responses = {
        status: response
        for status, response in operation.get("responses", {}).items()
        if status != "422"
    }
    is_versioned = route.template.startswith("/v1/")
    tag = route.template.split("/")[2] if is_versioned else "sertifikat"
    operation_id = route.method.lower() + re.sub(r"[^A-Za-z0-9]+", "_", route.template)
    operation |= {
        "tags": [tag],
        "security": [] if route.is_public else [{"token": []}],
        "operationId": operation_id,
        "responses": responses,
    }
    if parameters:
        operation["parameters"] = parameters
    return operation


def _prefix_references(node: Any, service: str) -> Any:
    """Return the node with the service's name as prefix of its schema references."""
    if isinstance(node, list):
        return [_prefix_references(item, service) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    prefixed: Document = {}
    for name, value in cast("Document", node).items():
        if name == "$ref" and isinstance(value, str):
            schema_name = value.removeprefix(_REFERENCE_PREFIX)
            prefixed[name] = f"{_REFERENCE_PREFIX}{service}.{schema_name}"
        else:
            prefixed[name] = _prefix_references(value, service)
    return prefixed


def _collect_schemas(
    node: Any, service: str, service_schemas: Mapping[str, Any], schemas: Document
) -> None:
    """Add to `schemas` all schemas that the node refers to, directly or through others."""
    for name in set(_find_references(node)):
        if name not in schemas:
            schema = service_schemas.get(name.removeprefix(f"{service}."), {})
            schemas[name] = _prefix_references(schema, service)
            _collect_schemas(schemas[name], service, service_schemas, schemas)


def _find_references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in cast("list[Any]", node):
            yield from _find_references(item)
    elif isinstance(node, dict):
        for name, value in cast("Document", node).items():
            if name == "$ref" and isinstance(value, str):
                yield value.removeprefix(_REFERENCE_PREFIX)
            else:
                yield from _find_references(value)


def _strip_denied_prose(node: Any) -> Any:
    if isinstance(node, list):
        return [_strip_denied_prose(item) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    return {
        name: _strip_denied_prose(value)
        for name, value in cast("Document", node).items()
        if name not in _PROSE_MEMBERS or is_neutral(json.dumps(value, ensure_ascii=False))
    }
