"""Which host serves what, to whom, and in which words."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from chassis.texts import is_neutral
from gateway.host_group import Group
from tests.fakes import Keys
from tests.gateway.harness import ROUTES, Stage, fixed, new_key, settings, staged


async def raw(stage: Stage, request: str, group: Group = Group.STAFF) -> str:
    """The whole answer to these very bytes."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", stage.port + list(Group).index(group)
    )
    writer.write(request.encode())
    told = await reader.read()
    writer.close()
    return told.decode()


@pytest.mark.parametrize(
    "host",
    [
        "elsewhere.example",
        "10.0.0.1:8000",
        "",
        "staff.localhost.evil.example",
        "127.0.0.1.evil.example",
    ],
)
async def test_an_unknown_host_is_421_in_neutral_words(stage: Stage, host: str) -> None:
    told = await raw(
        stage, f"GET /v1/classes HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    )
    assert told.startswith("HTTP/1.1 421 ")
    assert is_neutral(told)
    assert {
        "x-content-type-options: nosniff",
        "x-frame-options: DENY",
        "referrer-policy: no-referrer",
    } <= set(told.splitlines())
    assert stage.upstream.seen == []


async def test_two_host_headers_are_421(stage: Stage) -> None:
    told = await raw(
        stage,
        "GET /v1/classes HTTP/1.1\r\nhost: localhost\r\nhost: shop.localhost\r\nconnection: close\r\n\r\n",
    )
    assert told.startswith(("HTTP/1.1 421 ", "HTTP/1.1 400 "))


async def test_a_host_name_wins_over_the_port(stage: Stage) -> None:
    told = await raw(
        stage, "GET /v1/products HTTP/1.1\r\nhost: SHOP.localhost:1234\r\nconnection: close\r\n\r\n"
    )
    assert told.startswith("HTTP/1.1 200 ")


async def test_each_host_serves_only_its_own_routes(stage: Stage) -> None:
    found = {
        group: [
            path
            for path in ("/v1/classes", "/v1/products", "/V/ABC")
            if (await stage.ask("GET", path, group=group)).status != 404
        ]
        for group in Group
    }
    assert found == {
        Group.STAFF: ["/v1/classes"],
        Group.SHOP: ["/v1/products"],
        Group.CERTIFICATE: ["/V/ABC"],
        Group.PARTNER: ["/v1/classes"],
    }


async def test_in_production_ports_mean_nothing_and_the_built_in_issuer_is_refused(
    tmp_path: Path,
) -> None:
    with pytest.raises(ValueError, match=r"GATEWAY_DEVELOPMENT_KEY.*GATEWAY_STAFF_HOSTS"):
        settings(
            Keys.make(tmp_path),
            new_key(),
            "http://127.0.0.1:9",
            8000,
            tmp_path,
            environment="production",
        )
    hosts: dict[str, Any] = {f"{group}_hosts": (f"{group}.example",) for group in Group}
    async with staged(tmp_path, environment="production", development_key="", **hosts) as stage:
        assert (await stage.ask("GET", "/v1/classes")).status == 421
        told = await stage.ask("GET", "/v1/products", headers={"host": "shop.example"})
        assert told.status == 200
        assert told.headers["strict-transport-security"].startswith("max-age=")


async def test_the_public_origin_belongs_to_the_certificate_host(tmp_path: Path) -> None:
    async with staged(tmp_path, public_origin="https://periksa.example") as stage:
        assert (await stage.ask("GET", "/V/ABC", headers={"host": "periksa.example"})).status == 200


@pytest.mark.scenario("C17/gateway")
@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/", {}),
        ("GET", "/nothing/here", {}),
        ("GET", "/V/../v1/classes", {}),
        ("DELETE", "/V/ABC", {}),
        ("GET", "/V/ABC", {"authorization": "Bearer abc"}),
        ("GET", "/v1/classes", {}),
        ("GET", "/.well-known/jwks.json", {}),
        ("GET", "/docs", {}),
        ("GET", "/openapi.json", {}),
        ("GET", "/favicon.ico", {}),
        (
            "OPTIONS",
            "/V/ABC",
            {"origin": "https://else.example", "access-control-request-method": "GET"},
        ),
    ],
)
async def test_nothing_the_certificate_host_says_by_itself_names_prison_or_product(
    stage: Stage, method: str, path: str, headers: dict[str, str]
) -> None:
    told = await stage.ask(method, path, group=Group.CERTIFICATE, headers=headers)
    assert is_neutral(told.body.decode())
    assert is_neutral(json.dumps(told.headers))
    assert "set-cookie" not in told.headers
    assert "server" not in told.headers


@pytest.mark.scenario("C17/gateway")
async def test_a_services_problem_leaves_the_certificate_host_in_neutral_words(
    stage: Stage,
) -> None:
    problem = {
        "type": "urn:bina:problem:token_unknown",
        "title": "Sertifikat tidak ditemukan",
        "status": 404,
        "code": "token_unknown",
        "facility": "LP-TJP",
        "request_id": "r-1",
    }
    stage.upstream.answers["/V/ABC"] = fixed(
        404, problem, {"content-type": "application/problem+json", "etag": '"Lapas"'}
    )
    told = await stage.ask("GET", "/V/ABC", group=Group.CERTIFICATE)
    assert told.content == {
        "type": "urn:problem:token_unknown",
        "title": "Sertifikat tidak ditemukan",
        "status": 404,
        "code": "token_unknown",
        "request_id": "r-1",
    }
    assert "etag" not in told.headers
    stage.upstream.answers["/V/ABC"] = fixed(
        409,
        problem | {"title": "Data Lapas tidak cocok"},
        {"content-type": "application/problem+json"},
    )
    told = await stage.ask("GET", "/V/ABC", group=Group.CERTIFICATE)
    assert told.content == {
        "type": "about:blank",
        "title": "Permintaan tidak dapat dijalankan",
        "status": 404,
        "request_id": "r-1",
    }


async def test_answers_carry_the_browsers_headers_and_no_banner(stage: Stage) -> None:
    told = await stage.ask("GET", "/v1/classes", headers=stage.bearer())
    assert told.headers["x-content-type-options"] == "nosniff"
    assert told.headers["x-frame-options"] == "DENY"
    assert told.headers["referrer-policy"] == "no-referrer"
    assert told.headers["content-security-policy"].startswith("default-src 'none'")
    assert told.headers["cache-control"] == "no-store"
    assert "server" not in told.headers
    assert "noindex" in told.headers["x-robots-tag"]
    assert "x-robots-tag" not in (await stage.ask("GET", "/v1/products", group=Group.SHOP)).headers


async def test_a_page_of_a_service_may_set_its_own_content_policy_and_caching_but_no_cookie_and_no_banner(
    stage: Stage,
) -> None:
    own = {
        "content-type": "text/html",
        "content-security-policy": "default-src 'self'",
        "cache-control": "max-age=60",
        "set-cookie": "a=b",
        "server": "uvicorn",
        "x-powered-by": "us",
    }
    stage.upstream.answers["/V/ABC"] = fixed(200, {}, own)
    told = await stage.ask("GET", "/V/ABC", group=Group.CERTIFICATE)
    assert (told.headers["content-security-policy"], told.headers["cache-control"]) == (
        "default-src 'self'",
        "max-age=60",
    )
    assert not told.headers.keys() & {"set-cookie", "server", "x-powered-by"}


PREFLIGHT = {
    "access-control-request-method": "GET",
    "access-control-request-headers": "authorization",
}
NAMED_ORIGIN = {"origin": "https://console.example"}
OTHER_ORIGIN = {"origin": "https://evil.example"}


async def test_a_page_of_a_named_origin_may_read_responses(tmp_path: Path) -> None:
    async with staged(tmp_path, cors_origins={"staff": [NAMED_ORIGIN["origin"]]}) as stage:
        response = await stage.ask("OPTIONS", "/v1/classes", headers=NAMED_ORIGIN | PREFLIGHT)
        assert response.status == 200
        assert response.headers["access-control-allow-origin"] == NAMED_ORIGIN["origin"]
        assert "access-control-allow-credentials" not in response.headers
        for headers, status in ((stage.bearer(), 200), ({}, 401)):
            response = await stage.ask("GET", "/v1/classes", headers=NAMED_ORIGIN | headers)
            assert response.status == status
            assert response.headers["access-control-allow-origin"] == NAMED_ORIGIN["origin"]
            assert response.headers["vary"] == "Origin"


@pytest.mark.parametrize("origin", [OTHER_ORIGIN["origin"], "null"])
async def test_a_page_of_another_origin_may_read_no_response(tmp_path: Path, origin: str) -> None:
    async with staged(tmp_path, cors_origins={"staff": [NAMED_ORIGIN["origin"]]}) as stage:
        headers = {"origin": origin}
        response = await stage.ask("OPTIONS", "/v1/classes", headers=headers | PREFLIGHT)
        assert response.status == 400
        assert "access-control-allow-origin" not in response.headers
        response = await stage.ask("GET", "/v1/classes", headers=headers | stage.bearer())
        assert "access-control-allow-origin" not in response.headers


async def test_an_origin_named_for_one_host_group_is_not_named_for_another(tmp_path: Path) -> None:
    async with staged(tmp_path, cors_origins={"staff": [NAMED_ORIGIN["origin"]]}) as stage:
        response = await stage.ask(
            "OPTIONS", "/v1/products", group=Group.SHOP, headers=NAMED_ORIGIN | PREFLIGHT
        )
        assert response.status == 405
        assert "access-control-allow-origin" not in response.headers


async def test_a_request_id_and_a_trace_are_taken_over_when_well_formed_and_made_when_not(
    stage: Stage,
) -> None:
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    told = await stage.ask(
        "GET",
        "/v1/classes",
        headers=stage.bearer() | {"x-request-id": "partner-12345678", "traceparent": trace},
    )
    assert (
        told.headers["x-request-id"]
        == stage.upstream.last.headers["x-request-id"]
        == "partner-12345678"
    )
    assert stage.upstream.last.headers["traceparent"].startswith("00-" + "a" * 32)
    for bad in ("short", "x" * 65, "with space", "<script>alert(1)</script>"):
        told = await stage.ask(
            "GET",
            "/v1/classes",
            headers=stage.bearer() | {"x-request-id": bad, "traceparent": "00-zz"},
        )
        assert told.headers["x-request-id"] != bad
        assert stage.upstream.last.headers.get("traceparent") != "00-zz"


async def test_every_refusal_carries_the_request_id(stage: Stage) -> None:
    for path, status in (("/v1/nothing", 404), ("/v1/classes", 401), ("//v1", 400)):
        told = await stage.ask("GET", path, headers={"x-request-id": "partner-12345678"})
        assert (told.status, told.content["request_id"], told.headers["content-type"]) == (
            status,
            "partner-12345678",
            "application/problem+json",
        )


@pytest.mark.parametrize(
    "path",
    [
        "//v1/classes",
        "/v1//classes",
        "/v1/classes/..",
        "/v1/classes/../../internal/identities",
        "/v1/classes/%2e%2e/x",
        "/v1/classes/a%2Fb",
        "/v1/classes/a%5cb",
        "/v1/classes/%00",
        "/v1/classes/%zz",
        "/v1/classes/./a",
    ],
)
async def test_a_path_that_two_readers_could_read_differently_is_400(
    stage: Stage, path: str
) -> None:
    told = await raw(
        stage,
        f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {stage.token()}\r\nconnection: close\r\n\r\n",
    )
    assert told.startswith("HTTP/1.1 400 ")
    assert stage.upstream.seen == []


@pytest.mark.parametrize(
    "path",
    ["/internal/identities", "/v1/classes/", "/metrics", "/statusz", "/health/services", "/"],
)
async def test_internal_paths_are_not_there_on_any_public_host(stage: Stage, path: str) -> None:
    for group in Group:
        assert (
            await stage.ask("GET", path, group=group, headers=stage.bearer("administrator"))
        ).status == 404
    assert stage.upstream.seen == []


async def test_a_path_goes_on_as_it_came(stage: Stage) -> None:
    told = await raw(
        stage,
        f"GET /v1/classes/a%20b%C3%A9;x=1?q=%2F&r=a+b HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {stage.token()}\r\nconnection: close\r\n\r\n",
    )
    assert told.startswith("HTTP/1.1 200 ")
    assert stage.upstream.last.path == "/v1/classes/a%20b%C3%A9;x=1"


async def test_a_method_that_the_path_does_not_have_is_405_with_those_it_has(stage: Stage) -> None:
    told = await stage.ask("PUT", "/v1/classes", headers=stage.bearer())
    assert (told.status, told.headers["allow"]) == (405, "GET, POST")


async def test_an_address_inside_a_service_never_shows_in_location(stage: Stage) -> None:
    stage.upstream.answers["/v1/classes"] = fixed(
        201, {}, {"location": f"{stage.upstream.url}/v1/classes/abc"}
    )
    assert (await stage.ask("POST", "/v1/classes", headers=stage.bearer(), json={})).headers[
        "location"
    ] == "/v1/classes/abc"


async def test_the_anonymous_are_told_apart_by_the_address_our_own_proxies_saw(
    tmp_path: Path,
) -> None:
    routes = ROUTES.replace(
        'paths = ["GET /v1/products"', 'rate = "1/minute"\npaths = ["GET /v1/products"'
    )
    async with staged(tmp_path, routes, trusted_proxies="127.0.0.0/8, 10.0.0.0/8") as stage:

        async def status(forwarded: str) -> int:
            return (
                await stage.ask(
                    "GET", "/v1/products", group=Group.SHOP, headers={"x-forwarded-for": forwarded}
                )
            ).status

        assert [await status("203.0.113.7"), await status("203.0.113.8")] == [200, 200]
        assert [
            await status("203.0.113.9, 10.1.1.1"),
            await status("1.2.3.4, 203.0.113.9, 10.1.1.2"),
        ] == [200, 429]
        assert [
            await status("203.0.113.10:1234, [::ffff:10.1.1.1]:80"),
            await status("203.0.113.10:1235"),
        ] == [200, 429], "another port is nobody else"
        assert [await status("[2001:db8::7]:1234"), await status("2001:db8::8, 10.1.1.1:9")] == [
            200,
            429,
        ]
    async with staged(tmp_path, routes) as stage:
        assert [await status("203.0.113.7"), await status("203.0.113.8")] == [200, 429]
