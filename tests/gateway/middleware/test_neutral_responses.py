"""The certificate host names neither prison nor product."""

from __future__ import annotations

import json

import pytest

from chassis.texts import DENIED_WORDS, is_neutral
from gateway.host_group import Group
from tests.gateway.harness import GatewayHarness, fixed


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
async def test_the_certificate_host_itself_names_no_prison_or_product(
    harness: GatewayHarness, method: str, path: str, headers: dict[str, str]
) -> None:
    response = await harness.ask(method, path, group=Group.CERTIFICATE, headers=headers)
    assert is_neutral(response.body.decode())
    assert is_neutral(json.dumps(response.headers))
    assert "set-cookie" not in response.headers
    assert "server" not in response.headers


@pytest.mark.scenario("C17/gateway")
async def test_a_services_problem_leaves_the_certificate_host_in_neutral_words(
    harness: GatewayHarness,
) -> None:
    problem = {
        "type": "urn:bina:problem:token_unknown",
        "title": "Sertifikat tidak ditemukan",
        "status": 404,
        "code": "token_unknown",
        "facility": "LP-TJP",
        "request_id": "r-1",
    }
    harness.upstream.answers["/V/ABC"] = fixed(
        404, problem, {"content-type": "application/problem+json", "etag": '"Lapas"'}
    )
    response = await harness.ask("GET", "/V/ABC", group=Group.CERTIFICATE)
    assert response.content == {
        "type": "urn:problem:token_unknown",
        "title": "Sertifikat tidak ditemukan",
        "status": 404,
        "code": "token_unknown",
        "request_id": "r-1",
    }
    assert "etag" not in response.headers
    harness.upstream.answers["/V/ABC"] = fixed(
        409,
        problem | {"title": "Data Lapas tidak cocok"},
        {"content-type": "application/problem+json"},
    )
    response = await harness.ask("GET", "/V/ABC", group=Group.CERTIFICATE)
    assert response.content == {
        "type": "about:blank",
        "title": "Permintaan tidak dapat dijalankan",
        "status": 404,
        "request_id": "r-1",
    }


@pytest.mark.scenario("C17/gateway")
@pytest.mark.parametrize("word", DENIED_WORDS)
async def test_a_header_with_a_denied_word_never_leaves_the_certificate_host(
    harness: GatewayHarness, word: str
) -> None:
    tag = f'"{word.replace(" ", "-").upper()}"'
    harness.upstream.answers["/V/ABC"] = fixed(200, {"ok": True}, {"etag": tag})
    response = await harness.ask("GET", "/V/ABC", group=Group.CERTIFICATE)
    assert response.status == 200
    assert "etag" not in response.headers
