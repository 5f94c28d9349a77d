"""Headers that the gateway itself gives to a request."""

from __future__ import annotations

from gateway.host_group import Group
from tests.gateway.harness import GatewayHarness

FORGED = {"x-client-address": "203.0.113.7"}


async def test_a_request_without_a_caller_has_the_clients_address(
    harness: GatewayHarness,
) -> None:
    """By it a service tells anonymous callers apart."""
    response = await harness.ask("GET", "/v1/products", group=Group.SHOP, headers=FORGED)
    assert response.status == 200
    assert harness.upstream.last.headers["x-client-address"] == "127.0.0.1"


async def test_a_request_of_a_caller_has_no_address(harness: GatewayHarness) -> None:
    response = await harness.ask("GET", "/v1/classes", headers=harness.bearer() | FORGED)
    assert response.status == 200
    assert "x-client-address" not in harness.upstream.last.headers
