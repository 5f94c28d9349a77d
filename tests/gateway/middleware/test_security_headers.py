"""Headers that restrict a browser."""

from __future__ import annotations

from gateway.host_group import Group
from tests.gateway.harness import GatewayHarness, fixed


async def test_responses_carry_the_security_headers_and_no_banner(harness: GatewayHarness) -> None:
    response = await harness.ask("GET", "/v1/classes", headers=harness.bearer())
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert response.headers["cache-control"] == "no-store"
    assert "server" not in response.headers
    assert "noindex" in response.headers["x-robots-tag"]
    assert (
        "x-robots-tag" not in (await harness.ask("GET", "/v1/products", group=Group.SHOP)).headers
    )


async def test_a_page_may_set_its_policy_and_caching_but_no_cookie(
    harness: GatewayHarness,
) -> None:
    own = {
        "content-type": "text/html",
        "content-security-policy": "default-src 'self'",
        "cache-control": "max-age=60",
        "set-cookie": "a=b",
        "server": "uvicorn",
        "x-powered-by": "us",
    }
    harness.upstream.answers["/V/ABC"] = fixed(200, {}, own)
    response = await harness.ask("GET", "/V/ABC", group=Group.CERTIFICATE)
    assert (response.headers["content-security-policy"], response.headers["cache-control"]) == (
        "default-src 'self'",
        "max-age=60",
    )
    assert not response.headers.keys() & {"set-cookie", "server", "x-powered-by"}
