"""Access to the routes: no token 401, no permission 403; 404 and 428 are walked beside this.

Another LSP is 404: test_scopes. No If-Match is 428: test_if_match.
"""

from __future__ import annotations

import re

import pytest

from gateway.access.permissions.certification import PERMISSIONS
from tests.certification.harness import Harness
from tests.certification.routes import UNSCOPED, own_routes
from tests.fakes import routes

PREFIXES = ("/v1/", "/V", "/v/", "/i/", "/l/", "/s/")


def addresses(harness: Harness) -> list[tuple[str, str]]:
    """Return method and path of every route, with `x` for each parameter."""
    found: list[tuple[str, str]] = []
    for route in routes(harness.client.app):
        if route.path.startswith(PREFIXES) or route.path == "/":
            path = re.sub(r"\{\w+\}", "x", route.path)
            found += [(method, path) for method in sorted(route.methods or ())]
    return found


@pytest.mark.scenario("T19/services")
async def test_every_route_without_a_token_is_401(harness: Harness) -> None:
    """The gateway gives a visitor of a public page a token as well."""
    walked = addresses(harness)
    assert len(walked) > 55
    for method, path in walked:
        answer = await harness.client.request(method, path, token="")
        assert answer.status_code == 401, (method, path)


@pytest.mark.scenario("T19/services")
async def test_every_route_without_its_permission_is_403(harness: Harness) -> None:
    without_permissions = harness.client.as_("auditor", permissions=(), lsp="*")
    for method, path in addresses(harness):
        answer = await without_permissions.request(method, path)
        assert answer.status_code == 403, (method, path)


@pytest.mark.scenario("T19/services")
def test_every_route_is_permitted_to_some_role(harness: Harness) -> None:
    permitted = frozenset[str]().union(*PERMISSIONS.values())
    own = {f"{method} {path}" for method, path in [*own_routes(harness), *UNSCOPED]}
    assert own <= permitted
