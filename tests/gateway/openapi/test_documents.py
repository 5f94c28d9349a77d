"""One OpenAPI document per host group."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from chassis.texts import is_neutral
from gateway.host_group import Group
from tests.gateway.harness import GatewayHarness, answer, fixed


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

    @app.get("/v1/classes", summary="Daftar kelas")
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


async def test_a_document_names_the_host_that_was_asked(harness: GatewayHarness) -> None:
    document = await documented(harness, Group.STAFF)
    assert document["servers"] == [{"url": harness.url("")}]
    host = f"staff.localhost:{harness.port}"
    other = await harness.ask("GET", "/openapi.json", headers={"host": host})
    assert other.content["servers"] == [{"url": f"http://{host}"}]
    assert b"origin.invalid" not in other.body


async def test_a_document_says_what_it_is_in_both_languages(harness: GatewayHarness) -> None:
    for group in (Group.STAFF, Group.SHOP, Group.PARTNER):
        description = (await documented(harness, group))["info"]["description"]
        assert "Antarmuka (API)" in description
        assert "The API" in description


async def test_an_operation_has_its_name_in_both_languages_and_its_roles(
    harness: GatewayHarness,
) -> None:
    operation = (await documented(harness, Group.STAFF))["paths"]["/v1/classes"]["get"]
    assert operation["summary"] == "Daftar kelas / List all classes"
    assert operation["x-roles"] == ["case_officer", "training_officer"]
    assert "petugas pelatihan (Giatja) (`training_officer`)" in operation["description"]
    public = (await documented(harness, Group.SHOP))["paths"]["/v1/products"]["get"]
    assert public["x-roles"] == ["public"]


async def test_every_body_has_an_example(
    harness: GatewayHarness,
) -> None:
    document = await documented(harness, Group.STAFF)
    operation = document["paths"]["/v1/classes"]["post"]
    example = {"title": "Pelatihan las listrik", "place": {"city": "contoh"}}
    assert operation["requestBody"]["content"]["application/json"]["example"] == example
    assert operation["responses"]["200"]["content"]["application/json"]["example"] == example


async def test_no_schema_has_the_name_of_a_python_module(harness: GatewayHarness) -> None:
    text = json.dumps(service()).replace("ClassBody", "services__training__tpp__api__ClassBody")
    harness.upstream.answers["/openapi.json"] = fixed(200, json.loads(text))
    document = (await harness.ask("GET", "/openapi.json")).content
    assert {"training.TppClassBody", "training.Place"} <= document["components"]["schemas"].keys()
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert references <= document["components"]["schemas"].keys()


async def test_the_services_of_a_document_are_asked_at_the_same_time(
    harness: GatewayHarness,
) -> None:
    everybody = asyncio.Barrier(2)

    async def wait(_scope: Any, _receive: Any, send: Any) -> None:
        await everybody.wait()
        await answer(send, 200, service())

    harness.routes_file.write_text(
        harness.routes_file.read_text()
        + '[[marketplace]]\nhosts = ["staff"]\npaths = ["GET /v1/stock"]\n'
    )
    assert harness.gateway.route_reloader.refresh()
    harness.upstream.answers["/openapi.json"] = wait
    async with asyncio.timeout(30):
        assert (await harness.ask("GET", "/openapi.json")).status == 200
    assert len(harness.upstream.seen) == 2


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


@pytest.mark.scenario("C17/gateway")
async def test_the_certificate_hosts_document_is_neutral(
    harness: GatewayHarness,
) -> None:
    document = await documented(harness, Group.CERTIFICATE)
    assert "get" in document["paths"]["/V/{token}"]
    assert is_neutral(json.dumps(document))


@pytest.mark.scenario("C17/gateway")
async def test_a_denied_name_withholds_the_certificate_hosts_document(
    harness: GatewayHarness,
) -> None:
    dirty = json.loads(json.dumps(service()).replace('"city"', '"lapas"'))
    harness.upstream.answers["/openapi.json"] = fixed(200, dirty)
    document = (await harness.ask("GET", "/openapi.json", group=Group.CERTIFICATE)).content
    assert document["paths"] == {}
    assert is_neutral(json.dumps(document))
