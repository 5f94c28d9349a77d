"""The routes of the gateway are those of the services, and each has a rule."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator

from chassis.app.middleware import OPEN_PATHS
from chassis.settings import Settings
from chassis.texts import is_neutral
from gateway.access.permissions import ROLE_PERMISSIONS
from gateway.app import create_app
from gateway.host_group import Group
from gateway.openapi import merging
from gateway.routing import parser
from tests.fakes import Keys
from tests.fakes import routes as routes_of
from tests.gateway.harness import new_key, settings

FILE = Path(parser.__file__).with_name("routes.toml")
TABLE = parser.parse_routes(FILE.read_text(), ROLE_PERMISSIONS)
KEYS_OF_32_BYTES = ("master_key", "lookup_key", "name_key", "sandbox_key")


def app_of(service: str, directory: Path, **more: Any) -> FastAPI:
    """Return the service's app; its servers are unreachable unless `more` names them."""
    keys = more.pop("keys", None) or Keys.make(directory)
    if service == "gateway":
        return create_app(
            settings(keys, new_key(), "http://127.0.0.1:9", 0, FILE, **more)
        ).internal_api
    response: dict[str, Any] = (
        keys.settings(
            service, mongo_url="mongodb://127.0.0.1:9/", database=service, kafka="127.0.0.1:9"
        )
        | more
    )
    response |= (
        dict.fromkeys(KEYS_OF_32_BYTES, "22" * 32)
        | {f"{peer}_url": "http://127.0.0.1:9" for peer in ROLE_PERMISSIONS.by_service}
        | {"keys_dir": directory}
    )
    found = vars(importlib.import_module(f"services.{service}.settings")).values()
    [kind] = [
        one
        for one in found
        if isinstance(one, type) and issubclass(one, Settings) and one is not Settings
    ]
    return importlib.import_module(f"services.{service}.app").create_app(kind(**response))


@pytest.fixture(params=sorted(ROLE_PERMISSIONS.by_service))
def service(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, FastAPI]:
    """Return the name and the app of each service."""
    return request.param, app_of(request.param, tmp_path)


def public_api(app: FastAPI) -> set[str]:
    """Return `METHOD /template` of every route for callers from outside."""
    routes: list[APIRoute] = routes_of(app)
    public = [
        route
        for route in routes
        if route.path not in OPEN_PATHS and not route.path.startswith("/internal/")
    ]
    return {f"{method} {route.path}" for route in public for method in route.methods or ()}


@pytest.mark.scenario("T19/gateway")
def test_every_route_of_the_gateway_exists_in_its_service(service: tuple[str, FastAPI]) -> None:
    name, app = service
    routed = {route.permission for route in TABLE.routes if route.service == name}
    assert sorted(routed - public_api(app)) == []


@pytest.mark.scenario("T19/gateway")
@pytest.mark.scenario("P3/gateway")
def test_every_route_of_a_service_is_routed_or_excepted_by_a_rule(
    service: tuple[str, FastAPI],
) -> None:
    name, app = service
    ruled = {
        permission
        for permissions in ROLE_PERMISSIONS.by_service[name].values()
        for permission in permissions
    }
    routed = {route.permission for route in TABLE.routes if route.service == name}
    assert sorted(public_api(app) - (ruled & routed)) == []


def find_bad_examples(document: dict[str, Any]) -> list[str]:
    """Return the request bodies without an example, or with one that their schema refuses."""
    bad: list[str] = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                examples = [one["value"] for one in content.get("examples", {}).values()]
                examples += [content["example"]] if "example" in content else []
                schema = content["schema"] | {"components": document["components"]}
                validator: Any = Draft202012Validator(schema)
                if not examples or not all(map(validator.is_valid, examples)):
                    bad.append(f"{method} {path}")
    return bad


@pytest.mark.filterwarnings(
    "ignore:Duplicate Operation ID"
)  # the gateway makes its own operation ids from method and template
@pytest.mark.parametrize("group", list(Group))
def test_each_document_is_made_of_the_services_documents(group: Group, tmp_path: Path) -> None:
    own = {service: app_of(service, tmp_path).openapi() for service in ROLE_PERMISSIONS.by_service}
    document = merging.build_document(group, TABLE.for_group(group), own)
    operations = {
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
    }
    assert operations == {route.permission for route in TABLE.for_group(group)}
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document))) <= set(
        document["components"]["schemas"]
    )
    all_operations = [
        operation for methods in document["paths"].values() for operation in methods.values()
    ]
    described = [
        operation for operation in all_operations if {"200", "201"} & operation["responses"].keys()
    ]
    assert len(described) > len(operations) / 2
    unnamed = [one["operationId"] for one in all_operations if " / " not in one["summary"]]
    assert unnamed == [], "write `summary=` at the route and a docstring"
    assert [name for name in document["components"]["schemas"] if "__" in name] == []
    assert find_bad_examples(document) == []
    if group is Group.CERTIFICATE:
        assert is_neutral(json.dumps(document, ensure_ascii=False))
