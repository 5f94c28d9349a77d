"""The language of the gateway's own problems, at every host; services name their own."""

from __future__ import annotations

import json

import pytest

from chassis.texts import is_neutral
from tests.gateway.factories import raw
from tests.gateway.harness import GatewayHarness


async def ask(harness: GatewayHarness, host: str, path: str, language: str) -> str:
    """Return the whole answer to one request."""
    return await raw(
        harness,
        (
            f"GET {path} HTTP/1.1\r\nhost: {host}\r\naccept-language: {language}\r\n"
            "connection: close\r\n\r\n"
        ),
    )


@pytest.mark.parametrize(
    ("host", "path", "status", "indonesian", "english"),
    [
        ("localhost", "/v1/nothing", 404, "Alamat tidak ditemukan", "Address not found"),
        ("localhost", "/v1/classes", 401, "Silakan masuk terlebih dahulu", "Sign in first"),
        (
            "elsewhere.example",
            "/",
            421,
            "Alamat ini tidak dilayani di sini",
            "This address is not served here",
        ),
        (
            "certificate.localhost",
            "/v1/nothing",
            404,
            "Alamat tidak ditemukan",
            "Address not found",
        ),
    ],
)
async def test_a_problem_of_the_gateway_is_in_the_language_of_the_reader(
    harness: GatewayHarness, host: str, path: str, status: int, indonesian: str, english: str
) -> None:
    for language, title, named in (("en", english, "en"), ("fr", indonesian, "id")):
        head, _, body = (await ask(harness, host, path, language)).partition("\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status} ")
        assert json.loads(body)["title"] == title
        assert f"content-language: {named}" in head.lower().splitlines()
        assert "vary: accept-language" in head.lower().splitlines()
        assert host == "localhost" or is_neutral(body)
