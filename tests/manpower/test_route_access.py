"""Every route of manpower refuses callers without a token or without its permission."""

from __future__ import annotations

import re

import pytest

from tests.fakes import routes
from tests.manpower.harness import RegionHarness

PATH_VALUES = {"regency_code": "19.02", "topic": "placement"}


def fill(template: str) -> str:
    """Return the path of a route with a value for each parameter."""
    return re.sub(r"\{(\w+)\}", lambda match: PATH_VALUES.get(match[1], "x"), template)


@pytest.mark.scenario("P3/services")
async def test_every_route_refuses_callers_without_token_or_permission(
    region: RegionHarness,
) -> None:
    client = region.service.client
    public_routes = [route for route in routes(client.app) if route.path.startswith("/v1/")]
    walked = [(method, route.path) for route in public_routes for method in route.methods or ()]
    assert len(walked) >= 40
    powerless = client.as_("case_officer", permissions=[], facility=region.facility)
    for method, template in walked:
        path = fill(template)
        anonymous = await client.request(method, path, token="", json={})
        assert anonymous.status_code == 401, (method, path)
        refused = await powerless.request(method, path, json={})
        assert refused.status_code == 403, (method, path)
