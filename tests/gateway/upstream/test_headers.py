"""The headers by which a service distinguishes anonymous callers."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.access.permissions import ROLE_PERMISSIONS
from gateway.host_group import Group
from gateway.routing import parser
from tests.gateway.harness import GatewayHarness, running_gateway
from tests.gateway.region import FILE


async def test_a_service_gets_the_address_of_an_anonymous_client_only(
    harness: GatewayHarness,
) -> None:
    await harness.ask("GET", "/v1/products", group=Group.SHOP)
    assert harness.upstream.last.headers["x-client-address"] == "127.0.0.1"
    await harness.ask("GET", "/v1/classes", headers=harness.bearer())
    assert "x-client-address" not in harness.upstream.last.headers


async def test_a_client_cannot_choose_the_address_that_a_service_gets(
    harness: GatewayHarness,
) -> None:
    forged = {"x-client-address": "203.0.113.7", "x-forwarded-for": "203.0.113.7"}
    await harness.ask("GET", "/v1/products", group=Group.SHOP, headers=forged)
    assert harness.upstream.last.headers["x-client-address"] == "127.0.0.1"
    await harness.ask("GET", "/v1/classes", headers=harness.bearer() | forged)
    assert "x-client-address" not in harness.upstream.last.headers


async def test_an_ipv6_client_is_known_by_its_network(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, trusted_proxies="127.0.0.0/8") as harness:
        forwarded = {"x-forwarded-for": "2001:db8::7"}
        await harness.ask("GET", "/v1/products", group=Group.SHOP, headers=forwarded)
        assert harness.upstream.last.headers["x-client-address"] == "2001:db8::/64"


async def test_the_token_of_an_order_reaches_the_shop_in_a_header(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, FILE.read_text(), ROLE_PERMISSIONS) as harness:
        token = {"order-token": "secret-of-the-order"}
        for method, path in (
            ("GET", "/v1/orders/a"),
            ("GET", "/v1/orders/a/split"),
            ("POST", "/v1/orders/a/cancellation"),
        ):
            await harness.ask(method, path, group=Group.SHOP, headers=token)
            assert harness.upstream.last.headers["order-token"] == "secret-of-the-order"


@pytest.mark.parametrize("name", ["x-client-address", "client-authorization"])
def test_no_route_lets_a_header_of_the_gateway_in(name: str) -> None:
    text = FILE.read_text().replace('headers = ["order-token"]', f'headers = ["{name}"]')
    with pytest.raises(parser.RoutesInvalid, match=f"{name} never passes"):
        parser.parse_routes(text, ROLE_PERMISSIONS)


async def test_no_log_line_has_the_query_of_a_request(
    harness: GatewayHarness, capfd: pytest.CaptureFixture[str]
) -> None:
    await harness.ask("GET", "/v1/products?token=secret-of-the-order", group=Group.SHOP)
    await harness.ask("GET", "/v1/nothing?token=secret-of-the-order", group=Group.SHOP)
    output = capfd.readouterr()
    assert "answered" in output.out + output.err
    assert "secret-of-the-order" not in output.out + output.err
