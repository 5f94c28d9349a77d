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
from gateway.access.builtin_issuer import TOKEN_PATH
from gateway.host_group import Group
from gateway.openapi.descriptions import (
    GROUP_TITLES,
    describe_group,
    describe_roles,
    list_roles,
    name_operation,
)
from gateway.openapi.examples import build_example
from gateway.problems import CONTENT_TYPE

if TYPE_CHECKING:
    from gateway.routing.table import Route

Document = dict[str, Any]
OPENAPI_VERSION = "3.1.0"
_REFERENCE_PREFIX = "#/components/schemas/"
_PROSE_MEMBERS = frozenset(
    {"description", "summary", "title", "example", "examples", "default", "const", "enum"}
)
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
_CLIENT_SCHEME = {"type": "http", "scheme": "basic", "description": "RFC 6749, 2.3.1"}
# Replaced by the origin of the host that serves the document.
ORIGIN = "https://origin.invalid"
# FastAPI adds the module to the names of schemas that would collide.
_MODULE_PREFIX = re.compile(
    r"(?:services|gateway)__(?:[a-z0-9_]+?__)?([a-z0-9_]+?)__[a-z0-9_]+?__(?=[A-Z])"
)

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

    The names of schemas get the service's name as prefix, so that they do not collide. Addresses
    begin with ORIGIN.
    """
    routes = list(routes)
    schemes = _build_security_schemes(routes)
    paths: Document = {}
    schemas: Document = {}
    all_schemas = _rename_schemas(service_documents)
    for route in routes:
        service_document = service_documents.get(route.service, {})
        operation = _build_operation(route, _find_operation(service_document, route), schemes)
        _collect_schemas(operation, all_schemas, schemas)
        _add_examples(operation, schemas)
        operation["responses"] |= _PROBLEM_RESPONSES
        paths.setdefault(route.template, {})[route.method.lower()] = operation
    return {
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": GROUP_TITLES[group],
            "version": "1",
            "description": describe_group(group),
        },
        "servers": [{"url": ORIGIN}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": {"problem": _PROBLEM_RESPONSE},
            "securitySchemes": schemes,
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
        "info": {"title": GROUP_TITLES[Group.CERTIFICATE], "version": "1"},
        "paths": {},
    }


def _find_operation(service_document: Mapping[str, Any], route: Route) -> Document:
    operations = service_document.get("paths", {}).get(route.template, {})
    return cast("Document", operations.get(route.method.lower(), {}))


def _build_security_schemes(routes: Iterable[Route]) -> Document:
    """Return the ways to prove oneself on a host; OAuth 2 only where its endpoint is."""
    has_token_endpoint = any(route.template == TOKEN_PATH for route in routes)
    if not has_token_endpoint:
        return {"token": _TOKEN_SCHEME}
    flow: Document = {"tokenUrl": ORIGIN + TOKEN_PATH, "scopes": {}}
    oauth2: Document = {"type": "oauth2", "flows": {"clientCredentials": flow}}
    return {"oauth2": oauth2, "client": _CLIENT_SCHEME, "token": _TOKEN_SCHEME}


def _list_security(route: Route, schemes: Document) -> list[Document]:
    """Return the alternatives: none, a client's credentials, or a token."""
    if route.accepts_basic:
        return [{"client": []}, {}]
    if route.is_public:
        return []
    return [{name: []} for name in ("oauth2", "token") if name in schemes]


def _build_operation(route: Route, service_operation: Document, schemes: Document) -> Document:
    """Return the service's operation with the gateway's names, roles, security and references."""
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
    description = cast("str", operation.get("description", ""))
    operation |= {
        "tags": [tag],
        "summary": name_operation(route, service_operation),
        "description": f"{description}\n\n{describe_roles(route)}".strip(),
        "security": _list_security(route, schemes),
        "operationId": operation_id,
        "responses": responses,
        "x-roles": list_roles(route),
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
            prefixed[name] = f"{_REFERENCE_PREFIX}{service}.{_name_schema(schema_name)}"
        else:
            prefixed[name] = _prefix_references(value, service)
    return prefixed


def _rename_schemas(service_documents: Mapping[str, Mapping[str, Any]]) -> Document:
    """Return the schemas of all services by their public names."""
    renamed: Document = {}
    for service, document in service_documents.items():
        schemas = cast("Document", document.get("components", {}).get("schemas", {}))
        for name, schema in schemas.items():
            renamed[f"{service}.{_name_schema(name)}"] = _prefix_references(schema, service)
    return renamed


def _collect_schemas(node: Any, all_schemas: Document, schemas: Document) -> None:
    """Add to `schemas` all schemas that the node refers to, directly or through others."""
    for name in set(_find_references(node)):
        if name not in schemas:
            schemas[name] = all_schemas.get(name, {})
            _collect_schemas(schemas[name], all_schemas, schemas)


def _name_schema(name: str) -> str:
    """Return a schema's public name: its noun instead of its module, e.g. TppResultBody."""
    return _MODULE_PREFIX.sub(lambda match: match[1].title().replace("_", ""), name)


def _add_examples(operation: Document, schemas: Document) -> None:
    """Add an example to each body that has none."""
    responses = cast("Document", operation["responses"])
    bodies = [operation.get("requestBody", {})]
    bodies += [body for status, body in responses.items() if status.startswith("2")]
    for body in bodies:
        for content in cast("dict[str, Document]", body.get("content", {})).values():
            if not content.keys() & {"example", "examples"}:
                content["example"] = build_example(content.get("schema", {}), schemas)


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
