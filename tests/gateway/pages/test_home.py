"""The page at `/` of each host."""

from __future__ import annotations

import re

import pytest

from gateway.host_group import Group
from tests.gateway.harness import GatewayHarness


@pytest.mark.parametrize(
    ("group", "title"),
    [
        (Group.STAFF, "Bina: petugas"),
        (Group.SHOP, "Bina: toko"),
        (Group.PARTNER, "Bina: mitra"),
    ],
)
async def test_the_root_of_a_host_says_what_it_is_in_both_languages(
    harness: GatewayHarness, group: Group, title: str
) -> None:
    response = await harness.ask("GET", "/", group=group)
    page = response.body.decode()
    assert (response.status, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f"<title>{title}</title>" in page
    assert 'lang="id"' in page
    assert page.index("<p>") < page.index('<p lang="en">'), "Indonesian comes first"
    assert not re.search(r"<script|<link|<img|src=|@import|url\(", page)
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


async def test_each_link_of_a_front_page_leads_somewhere(harness: GatewayHarness) -> None:
    for group in (Group.STAFF, Group.SHOP, Group.PARTNER):
        page = (await harness.ask("GET", "/", group=group)).body.decode()
        links = set(re.findall(r'href="([^"]+)"', page))
        assert {"/docs", "/openapi.json"} <= links
        for link in links:
            if link.startswith("/"):
                status = (await harness.ask("GET", link, group=group)).status
            else:
                host, path = link.removeprefix("http://").split("/", 1)
                other = Group(host.partition(".")[0])
                headers = {"host": host}
                answer = await harness.ask("GET", f"/{path}", group=other, headers=headers)
                # The page of the certificate host belongs to certification.
                status = 200 if other is Group.CERTIFICATE else answer.status
            assert status == 200, link


async def test_the_shop_does_not_lead_its_customers_to_the_staff(harness: GatewayHarness) -> None:
    page = (await harness.ask("GET", "/", group=Group.SHOP)).body.decode()
    assert "staff.localhost" not in page


async def test_the_root_of_the_certificate_host_is_not_a_page_of_the_gateway(
    harness: GatewayHarness,
) -> None:
    response = await harness.ask("GET", "/", group=Group.CERTIFICATE)
    assert (response.status, response.content["code"]) == (404, "path_unknown")
