"""Every route of manpower refuses callers without token, permission, document or version."""

from __future__ import annotations

import re
from typing import Any

import pytest

from chassis.ids import new_id
from tests.fakes import routes
from tests.manpower.harness import RegionHarness, refused

PATH_VALUES = {"regency_code": "19.02", "topic": "placement"}
REASON = {"reason": "coba saja"}
BODIES: dict[str, dict[str, Any]] = {
    "POST /v1/agencies/{agency_id}/suspend": REASON,
    "POST /v1/agencies/{agency_id}/close": REASON,
    "POST /v1/consumers/{consumer_id}/suspend": REASON,
    "POST /v1/consumers/{consumer_id}/close": REASON,
    "POST /v1/consumers/{consumer_id}/credentials": {
        "credential_ref": "sistem",
        "valid_until": "2027-01-01T00:00:00Z",
    },
    "POST /v1/consumer-credentials/{credential_id}/return": REASON,
    "POST /v1/consumer-credentials/{credential_id}/detach": REASON,
    "POST /v1/vacancies/{vacancy_id}/close": {"reason": "withdrawn"},
    "POST /v1/job-applications/{application_id}/steps": {"to": "CONSENTED"},
}
# These make a new document or replace a row that may not exist yet.
WITHOUT_VERSION = {
    "POST /v1/consumers/{consumer_id}/credentials",
    "PUT /v1/agency-routes/{regency_code}/{topic}",
}
Route = tuple[str, str]


def fill(template: str, value: str = "x") -> str:
    """Return the path of a route with a value for each parameter."""
    return re.sub(r"\{(\w+)\}", lambda match: PATH_VALUES.get(match[1], value), template)


def own_routes(region: RegionHarness) -> list[Route]:
    """Return the routes of manpower, without those of operators and auditors."""
    own = [
        route
        for route in routes(region.service.client.app)
        if route.path.startswith("/v1/") and not route.path.startswith("/v1/operations/")
    ]
    return [(method, route.path) for route in own for method in sorted(route.methods or ())]


@pytest.mark.scenario("P3/services", "T19/services")
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


@pytest.mark.scenario("P3/services", "T19/services")
async def test_every_route_of_one_document_answers_404_to_an_unknown_id(
    region: RegionHarness,
) -> None:
    walked = [
        (method, template)
        for method, template in own_routes(region)
        if "_id}" in template and method != "HEAD"
    ]
    assert len(walked) >= 25
    officer = region.officer()
    for method, template in walked:
        answer = await officer.request(
            method,
            fill(template, new_id()),
            json=BODIES.get(f"{method} {template}", {}),
            headers={"if-match": '"1"'},
        )
        assert answer.status_code == 404, (method, template, answer.text)
        assert answer.json()["code"].endswith("_unknown"), (method, template)


@pytest.mark.scenario("P3/services", "T19/services")
async def test_every_change_of_a_document_needs_its_version(region: RegionHarness) -> None:
    walked = [
        (method, template)
        for method, template in own_routes(region)
        if "{" in template
        and method not in {"GET", "HEAD"}
        and f"{method} {template}" not in WITHOUT_VERSION
    ]
    assert len(walked) >= 15
    officer = region.officer()
    for method, template in walked:
        body = BODIES.get(f"{method} {template}", {})
        request = officer.request(method, fill(template, new_id()), json=body)
        await refused(request, 428, "version_required")
