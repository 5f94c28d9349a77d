"""Host groups: by name, by port, behind proxies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chassis.texts import is_neutral
from gateway.host_group import Group
from tests.fakes import Keys
from tests.gateway.factories import raw
from tests.gateway.harness import ROUTES, GatewayHarness, new_key, running_gateway, settings


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
async def test_an_unknown_host_is_421_in_neutral_words(harness: GatewayHarness, host: str) -> None:
    response = await raw(
        harness, f"GET /v1/classes HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    )
    assert response.startswith("HTTP/1.1 421 ")
    assert is_neutral(response)
    assert {
        "x-content-type-options: nosniff",
        "x-frame-options: DENY",
        "referrer-policy: no-referrer",
    } <= set(response.splitlines())
    assert harness.upstream.seen == []


async def test_two_host_headers_are_421(harness: GatewayHarness) -> None:
    response = await raw(
        harness,
        (
            "GET /v1/classes HTTP/1.1\r\nhost: localhost\r\nhost: shop.localhost\r\n"
            "connection: close\r\n\r\n"
        ),
    )
    assert response.startswith(("HTTP/1.1 421 ", "HTTP/1.1 400 "))


async def test_a_host_name_wins_over_the_port(harness: GatewayHarness) -> None:
    response = await raw(
        harness,
        "GET /v1/products HTTP/1.1\r\nhost: SHOP.localhost:1234\r\nconnection: close\r\n\r\n",
    )
    assert response.startswith("HTTP/1.1 200 ")


async def test_each_host_serves_only_its_own_routes(harness: GatewayHarness) -> None:
    found = {
        group: [
            path
            for path in ("/v1/classes", "/v1/products", "/V/ABC")
            if (await harness.ask("GET", path, group=group)).status != 404
        ]
        for group in Group
    }
    assert found == {
        Group.STAFF: ["/v1/classes"],
        Group.SHOP: ["/v1/products"],
        Group.CERTIFICATE: ["/V/ABC"],
        Group.PARTNER: ["/v1/classes"],
    }


async def test_production_has_no_group_ports_and_no_development_issuer(
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
    async with running_gateway(
        tmp_path, environment="production", development_key="", **hosts
    ) as harness:
        assert (await harness.ask("GET", "/v1/classes")).status == 421
        response = await harness.ask("GET", "/v1/products", headers={"host": "shop.example"})
        assert response.status == 200
        assert response.headers["strict-transport-security"].startswith("max-age=")


async def test_the_public_origin_belongs_to_the_certificate_host(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, public_origin="https://periksa.example") as harness:
        assert (
            await harness.ask("GET", "/V/ABC", headers={"host": "periksa.example"})
        ).status == 200


async def test_anonymous_callers_are_counted_by_the_address_our_proxies_saw(
    tmp_path: Path,
) -> None:
    routes = ROUTES.replace(
        'paths = ["GET /v1/products"', 'rate = "1/minute"\npaths = ["GET /v1/products"'
    )
    async with running_gateway(
        tmp_path, routes, trusted_proxies="127.0.0.0/8, 10.0.0.0/8"
    ) as harness:

        async def status(forwarded: str) -> int:
            return (
                await harness.ask(
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
    async with running_gateway(tmp_path, routes) as harness:
        assert [await status("203.0.113.7"), await status("203.0.113.8")] == [200, 429]
