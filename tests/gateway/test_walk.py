"""Every route of the real table with the real roles."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from gateway.access.permissions import PUBLIC, ROLE_PERMISSIONS, ROLES
from gateway.host_group import Group
from gateway.middleware.audited_reads import AUDITED_ROLES
from gateway.middleware.authorisation import Authorisation
from gateway.routing import parser
from gateway.routing.table import Route
from tests.gateway.harness import GatewayHarness, running_gateway

FILE = Path(parser.__file__).with_name("routes.toml")
TABLE = parser.parse_routes(FILE.read_text(), ROLE_PERMISSIONS)
PLACE = {route.permission: route for route in TABLE.routes}


def test_every_service_routes_something() -> None:
    assert (
        Counter(route.service for route in TABLE.routes).keys()
        == ROLE_PERMISSIONS.by_service.keys()
    )


@pytest.mark.scenario("T19/gateway")
@pytest.mark.scenario("P3/gateway")
def test_every_routed_method_and_template_has_at_least_one_role() -> None:
    assert [route.permission for route in TABLE.routes if not route.roles] == []


@pytest.mark.scenario("T19/gateway")
def test_every_permission_has_a_known_role_and_a_routed_template() -> None:
    unknown = [
        f"{service}: {role}"
        for service, rules in ROLE_PERMISSIONS.by_service.items()
        for role in sorted(rules.keys() - (ROLES | {PUBLIC}))
    ]
    granted = [
        (service, role, permission)
        for service, rules in ROLE_PERMISSIONS.by_service.items()
        for role, permissions in rules.items()
        for permission in permissions
    ]
    unrouted = [
        f"{service}: {role}: {permission}"
        for service, role, permission in granted
        if permission not in PLACE or PLACE[permission].service != service
    ]
    assert (unknown, unrouted) == ([], [])


@pytest.mark.scenario("T19/gateway")
def test_a_route_is_public_in_both_places_or_in_none() -> None:
    declared = {route.permission for route in TABLE.routes if route.is_public}
    listed = {
        permission
        for rules in ROLE_PERMISSIONS.by_service.values()
        for permission in rules.get(PUBLIC, ())
    }
    assert declared == listed


def test_the_certificate_host_serves_only_public_and_holders_routes() -> None:
    own = {"POST /v1/holder/sign-in", "POST /v1/holder/sign-out"}
    routed = TABLE.for_group(Group.CERTIFICATE)
    assert [
        route.permission
        for route in routed
        if route.service != "certification" and route.permission not in own
    ] == []
    assert [
        route.permission for route in routed if not (route.is_public or route.roles <= {"holder"})
    ] == []


def filled(route: Route) -> str:
    """Return the template with a value in its parameters."""
    return "/".join(
        "x" if segment.startswith("{") else segment for segment in route.template.split("/")
    )


@pytest.mark.scenario("T19/gateway")
@pytest.mark.scenario("P3/gateway")
async def test_every_route_is_401_without_token_and_403_for_other_roles(
    tmp_path: Path,
) -> None:
    async with running_gateway(tmp_path, FILE.read_text(), ROLE_PERMISSIONS) as harness:
        tokens = {role: harness.bearer(role) for role in sorted(ROLES)}
        for route in TABLE.routes:
            if not route.is_public:
                assert (
                    await harness.ask(route.method, filled(route), group=route.group)
                ).status == 401, route.permission
            for role in sorted(ROLES - route.roles):
                assert (
                    await harness.ask(
                        route.method, filled(route), group=route.group, headers=tokens[role]
                    )
                ).status == 403, (route.permission, role)
        assert harness.upstream.seen == []


@pytest.mark.scenario("T19/gateway")
async def test_every_role_reaches_every_route_it_may_use_at_the_right_service(
    tmp_path: Path,
) -> None:
    async with running_gateway(tmp_path, FILE.read_text(), ROLE_PERMISSIONS, small=True) as harness:
        for route in TABLE.routes:
            for role in sorted(route.roles - {PUBLIC} - AUDITED_ROLES):
                response = await harness.ask(
                    route.method, filled(route), group=route.group, headers=harness.bearer(role)
                )
                assert response.status == 200, (route.permission, role)
            if route.is_public:
                assert (
                    await harness.ask(route.method, filled(route), group=route.group)
                ).status == 200, route.permission


@pytest.mark.scenario("P3/gateway")
async def test_the_right_to_read_gives_no_right_to_write_on_the_same_path(
    harness: GatewayHarness,
) -> None:
    reader = harness.bearer("case_officer")
    assert (await harness.ask("GET", "/v1/classes", headers=reader)).status == 200
    response = await harness.ask("POST", "/v1/classes", headers=reader, json={})
    assert (response.status, response.content["code"]) == (403, "forbidden")


async def test_a_route_without_a_rule_is_403_for_every_role(harness: GatewayHarness) -> None:
    for role in sorted(ROLES):
        assert (await harness.ask("GET", "/v1/nobody", headers=harness.bearer(role))).status == 403
    assert (await harness.ask("GET", "/v1/nobody")).status == 401


def test_the_authorisation_comes_before_anything_that_reaches_a_service(
    tmp_path: Path,
) -> None:
    async def chain() -> list[str]:
        async with running_gateway(tmp_path) as harness:
            found: list[str] = []
            layer: object = harness.gateway.public_app
            while layer is not None:
                found.append(type(layer).__name__)
                layer = getattr(layer, "app", None)
            return found

    names = asyncio.run(chain())
    assert names[:2] == ["Languages", "HostGroups"]
    assert names[-1] == "UpstreamClient"
    assert (
        names.index("Authentication")
        < names.index(Authorisation.__name__)
        < names.index("RateLimit")
        < names.index("InternalTokens")
    )
