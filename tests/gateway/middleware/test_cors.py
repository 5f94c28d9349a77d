"""Pages of other origins."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.host_group import Group
from tests.gateway.harness import running_gateway

NAMED_ORIGIN = {"origin": "https://console.example"}


PREFLIGHT = {
    "access-control-request-method": "GET",
    "access-control-request-headers": "authorization",
}


OTHER_ORIGIN = {"origin": "https://evil.example"}


async def test_a_page_of_a_named_origin_may_read_responses(tmp_path: Path) -> None:
    async with running_gateway(
        tmp_path, cors_origins={"staff": [NAMED_ORIGIN["origin"]]}
    ) as harness:
        response = await harness.ask("OPTIONS", "/v1/classes", headers=NAMED_ORIGIN | PREFLIGHT)
        assert response.status == 200
        assert response.headers["access-control-allow-origin"] == NAMED_ORIGIN["origin"]
        assert "access-control-allow-credentials" not in response.headers
        cases = (
            (harness.bearer(), 200, "Origin"),
            (dict[str, str](), 401, "Origin, accept-language"),
        )
        for headers, status, vary in cases:
            response = await harness.ask("GET", "/v1/classes", headers=NAMED_ORIGIN | headers)
            assert response.status == status
            assert response.headers["access-control-allow-origin"] == NAMED_ORIGIN["origin"]
            assert response.headers["vary"] == vary


async def test_a_page_of_a_named_origin_may_continue_an_upload(tmp_path: Path) -> None:
    preflight = {
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "content-type,tus-resumable,upload-offset",
    }
    async with running_gateway(
        tmp_path, cors_origins={"staff": [NAMED_ORIGIN["origin"]]}
    ) as harness:
        response = await harness.ask("OPTIONS", "/v1/classes", headers=NAMED_ORIGIN | preflight)
        assert response.status == 200
        response = await harness.ask("GET", "/v1/classes", headers=NAMED_ORIGIN | harness.bearer())
        exposed = response.headers["access-control-expose-headers"].split(", ")
        assert {"location", "upload-offset", "upload-length", "tus-resumable"} <= set(exposed)


@pytest.mark.parametrize("origin", [OTHER_ORIGIN["origin"], "null"])
async def test_a_page_of_another_origin_may_read_no_response(tmp_path: Path, origin: str) -> None:
    async with running_gateway(
        tmp_path, cors_origins={"staff": [NAMED_ORIGIN["origin"]]}
    ) as harness:
        headers = {"origin": origin}
        response = await harness.ask("OPTIONS", "/v1/classes", headers=headers | PREFLIGHT)
        assert response.status == 400
        assert "access-control-allow-origin" not in response.headers
        response = await harness.ask("GET", "/v1/classes", headers=headers | harness.bearer())
        assert "access-control-allow-origin" not in response.headers


async def test_an_origin_named_for_one_host_group_is_not_named_for_another(tmp_path: Path) -> None:
    async with running_gateway(
        tmp_path, cors_origins={"staff": [NAMED_ORIGIN["origin"]]}
    ) as harness:
        response = await harness.ask(
            "OPTIONS", "/v1/products", group=Group.SHOP, headers=NAMED_ORIGIN | PREFLIGHT
        )
        assert response.status == 405
        assert "access-control-allow-origin" not in response.headers


async def test_every_page_may_read_public_documents_of_the_certificate_host(
    tmp_path: Path,
) -> None:
    async with running_gateway(tmp_path) as harness:
        for method in ("GET", "HEAD"):
            response = await harness.ask(
                method, "/V/ABC", group=Group.CERTIFICATE, headers=OTHER_ORIGIN
            )
            assert response.status == 200
            assert response.headers["access-control-allow-origin"] == "*"
            assert response.headers["cross-origin-resource-policy"] == "cross-origin"
        response = await harness.ask(
            "POST", "/v1/verifications", group=Group.CERTIFICATE, headers=OTHER_ORIGIN
        )
        assert "access-control-allow-origin" not in response.headers
        assert response.headers["cross-origin-resource-policy"] == "same-origin"
