"""One OpenAPI document and one page per host group."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from chassis.texts import is_neutral
from gateway.host_group import Group
from tests.gateway.harness import GatewayHarness, fixed


class Place(BaseModel):
    """A place."""

    city: str


class ClassBody(BaseModel):
    """A class <b>of</b> a Lapas."""

    title: str
    place: Place


class Unrelated(BaseModel):
    """Not public."""

    secret: str


def service() -> dict[str, Any]:
    """Return the OpenAPI document of a service with more routes than the gateway serves."""
    app = FastAPI(title="Bina training")

    @app.get("/v1/classes")
    def list_classes(limit: int = 50) -> list[ClassBody]:
        """List all classes."""
        raise NotImplementedError

    @app.post("/v1/classes")
    def open_class(body: ClassBody) -> ClassBody:
        raise NotImplementedError

    @app.post("/internal/identities")
    def identities(body: Unrelated) -> Unrelated:
        raise NotImplementedError

    @app.get("/V/{token}")
    def verify(token: str) -> ClassBody:
        """Check a certificate from a Lapas."""
        raise NotImplementedError

    return app.openapi()


async def documented(harness: GatewayHarness, group: Group) -> Any:
    harness.upstream.answers["/openapi.json"] = fixed(200, service())
    return (await harness.ask("GET", "/openapi.json", group=group)).content


async def test_a_document_holds_the_groups_routes_and_only_their_schemas(
    harness: GatewayHarness,
) -> None:
    document = await documented(harness, Group.STAFF)
    assert set(document["paths"]) == {
        route.template for route in harness.gateway.route_reloader.table.for_group(Group.STAFF)
    }
    assert "/internal/identities" not in json.dumps(document)
    assert {"training.ClassBody", "training.Place"} <= set(document["components"]["schemas"])
    assert "training.Unrelated" not in document["components"]["schemas"]
    assert document["paths"]["/v1/classes"]["get"]["security"] == [{"token": []}]
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert references <= set(document["components"]["schemas"])


async def test_public_routes_are_marked_as_needing_no_token(harness: GatewayHarness) -> None:
    document = await documented(harness, Group.SHOP)
    assert document["paths"]["/v1/products"]["get"]["security"] == []


async def test_the_routes_of_an_unavailable_service_stay_listed(harness: GatewayHarness) -> None:
    harness.upstream.answers["/openapi.json"] = fixed(503, {})
    document = (await harness.ask("GET", "/openapi.json")).content
    assert "get" in document["paths"]["/v1/classes"]


async def test_a_document_is_cached_until_the_routes_change(
    harness: GatewayHarness,
) -> None:
    await documented(harness, Group.STAFF)
    await documented(harness, Group.STAFF)
    assert len(harness.upstream.seen) == 1
    harness.routes_file.write_text(
        harness.routes_file.read_text().replace('"GET /v1/nobody"', '"GET /v1/another"')
    )
    assert harness.gateway.route_reloader.refresh()
    assert "/v1/another" in (await documented(harness, Group.STAFF))["paths"]


async def test_the_page_shows_every_route_escapes_texts_and_loads_nothing(
    harness: GatewayHarness,
) -> None:
    await documented(harness, Group.STAFF)
    response = await harness.ask("GET", "/docs")
    page = response.body.decode()
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    for route in harness.gateway.route_reloader.table.for_group(Group.STAFF):
        assert route.template in page
    assert "<b>of</b>" not in page
    assert not re.search(r"<script|<link|<img|src=|@import|url\(", page)
    assert set(re.findall(r'href="([^"#]+)"', page)) == {"/openapi.json"}
    assert "script-src" not in response.headers["content-security-policy"]
    assert response.headers["content-security-policy"].startswith(
        "default-src 'none'; style-src 'sha256-"
    )


@pytest.mark.scenario("C17/gateway")
async def test_the_certificate_hosts_document_and_page_are_neutral(
    harness: GatewayHarness,
) -> None:
    document = await documented(harness, Group.CERTIFICATE)
    assert "get" in document["paths"]["/V/{token}"]
    assert is_neutral(json.dumps(document))
    assert is_neutral((await harness.ask("GET", "/docs", group=Group.CERTIFICATE)).body.decode())


@pytest.mark.scenario("C17/gateway")
async def test_a_denied_name_withholds_the_certificate_hosts_document(
    harness: GatewayHarness,
) -> None:
    dirty = json.loads(json.dumps(service()).replace('"city"', '"lapas"'))
    harness.upstream.answers["/openapi.json"] = fixed(200, dirty)
    document = (await harness.ask("GET", "/openapi.json", group=Group.CERTIFICATE)).content
    assert document["paths"] == {}
    assert is_neutral(json.dumps(document))
