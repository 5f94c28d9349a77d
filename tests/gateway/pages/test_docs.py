"""The page `/docs`: Swagger UI without the standalone preset, under a strict policy."""

from __future__ import annotations

import gzip
import re

import pytest

from chassis.texts import is_neutral
from gateway.host_group import Group
from gateway.pages import docs
from tests.gateway.harness import GatewayHarness


@pytest.mark.parametrize("group", list(Group))
async def test_the_page_loads_only_files_of_its_own_host(
    harness: GatewayHarness, group: Group
) -> None:
    response = await harness.ask("GET", "/docs", group=group)
    page = response.body.decode()
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert "/openapi.json" in loaded
    files = [path for path in loaded if path != "/openapi.json"]
    assert {path.rpartition("/")[2] for path in files} == docs.FILES.keys()
    for path in files:
        asset = await harness.ask("GET", path, group=group, headers={"accept-encoding": "gzip"})
        assert asset.status == 200
        assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert asset.headers["content-encoding"] == "gzip"
        assert asset.headers["x-content-type-options"] == "nosniff"
        plain = await harness.ask("GET", path, group=group, headers={"accept-encoding": "br"})
        assert "content-encoding" not in plain.headers
        assert gzip.decompress(asset.body) == plain.body
    assert "<script>" not in page
    assert "style=" not in page


async def test_only_the_page_of_the_docs_may_show_images_of_data(harness: GatewayHarness) -> None:
    policies: dict[str, str] = {}
    for path in ("/docs", "/", "/openapi.json", "/v1/classes"):
        response = await harness.ask("GET", path, headers=harness.bearer())
        policies[path] = response.headers["content-security-policy"]
    assert "img-src data:" in policies.pop("/docs")
    assert not any("data:" in policy or "unsafe" in policy for policy in policies.values())


def test_the_page_has_no_standalone_preset() -> None:
    script = (docs.ASSETS / "docs.js").read_text()
    assert "BaseLayout" in script
    assert "Standalone" not in script
    assert not any("standalone" in str(file) for file in docs.FILES.values())


async def test_try_it_exists_in_development_only(harness: GatewayHarness) -> None:
    page = (await harness.ask("GET", "/docs")).body
    assert b'data-try-it="true"' in page
    production = docs.render_docs(Group.STAFF, [], has_try_it=False)
    assert b'data-try-it="false"' in production
    script = (docs.ASSETS / "docs.js").read_text()
    assert 'supportedSubmitMethods: page.dataset.tryIt === "true" ? METHODS : []' in script


@pytest.mark.scenario("C17/gateway")
async def test_the_page_of_the_certificate_host_is_neutral(harness: GatewayHarness) -> None:
    page = (await harness.ask("GET", "/docs", group=Group.CERTIFICATE)).body.decode()
    assert is_neutral(page)
    for file in docs.FILES.values():
        assert is_neutral(file.read_text()), file.name
