"""Roles beside the domain's, and recorded reads of auditors."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from chassis.persistence.mongo import Mongo
from gateway.access.permissions import ROLE_PERMISSIONS
from gateway.access.permissions.access import OWN_SIGN_IN
from gateway.middleware.audited_reads import AUDITED_ROLES, PERMISSIONS_SHOWING_NAMES
from gateway.routing.table import Route
from tests.fakes import Keys, eventually
from tests.gateway.harness import running_gateway
from tests.gateway.region import FILE, OIDC, OfficeHarness, known
from tests.gateway.test_services import app_of
from tests.gateway.test_walk import TABLE, filled

PERSONAL = {
    "nik_masked",
    "birth_date",
    "raw",
    "register_no",
    "contact",
    "contacts",
    "phone",
    "email",
    "address",
}
REASON = {"access-reason": "Pemeriksaan daftar nilai, ST-4/2026"}


@pytest.fixture
async def office(tmp_path: Path, mongo_url: str, database: str) -> AsyncGenerator[OfficeHarness]:
    """Start a gateway that forwards every request to the small upstream."""
    url = Keys.make(tmp_path).settings("gateway", mongo_url=mongo_url, database=database, kafka="")[
        "mongo_url"
    ]
    async with running_gateway(
        tmp_path,
        FILE.read_text(),
        ROLE_PERMISSIONS,
        oidc=OIDC,
        living=True,
        small=True,
        mongo_url=url,
    ) as harness:
        await eventually(lambda: known(harness), seconds=30)
        yield OfficeHarness(harness)


def reached(role: str) -> set[str]:
    """Return the permissions of the role alone, without its own sign-in."""
    mine = {
        route.permission for route in TABLE.routes if role in route.roles and not route.is_public
    }
    return mine - OWN_SIGN_IN


def test_head_of_security_bapas_and_kanwil_reach_only_what_is_theirs() -> None:
    assert reached("head_of_security") == set(), (
        "the list of who is out of the block comes with training's own feature"
    )
    assert reached("bapas") == {
        "GET /v1/candidates",
        "GET /v1/candidates/{candidate_id}",
        "GET /v1/placements",
        "GET /v1/placements/{placement_id}",
        "GET /v1/feed",
        "GET /v1/snapshot",
        "POST /v1/access/cards/pin",
    }
    assert reached("kanwil") == {"GET /v1/production-statistics"}
    assert reached("holder") == {"POST /v1/holder/sign-out"}


def test_the_registry_operator_imports_and_decides_nothing_of_classes() -> None:
    assert "POST /v1/facilities/{facility_id}/snapshots" in reached("registry_operator")
    assert not {
        permission
        for permission in reached("registry_operator")
        if "classes" in permission or "tpp-decisions" in permission
    }


def test_an_auditor_changes_nothing_but_their_own_sign_in() -> None:
    assert {
        permission for permission in reached("auditor") if not permission.startswith("GET ")
    } == {"POST /v1/access/explain"}


@pytest.mark.filterwarnings("ignore:Duplicate Operation ID")
def test_routes_that_show_names_are_listed_as_such(tmp_path: Path) -> None:
    """Every response that an auditor may read: its schema in its service's OpenAPI document."""
    found: set[str] = set()
    for service in ROLE_PERMISSIONS.by_service:
        document = app_of(service, tmp_path).openapi()
        for route in TABLE.routes:
            if route.service == service and AUDITED_ROLES & route.roles and not route.is_public:
                content = (
                    document["paths"][route.template][route.method.lower()]["responses"]
                    .get("200", {})
                    .get("content", {})
                )
                found |= {route.permission} if PERSONAL & set(members(content, document)) else set()
    assert found == PERMISSIONS_SHOWING_NAMES


def members(
    schema: Any, document: dict[str, Any], *, within: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Yield the names of all members that a response of this schema may have, at any depth."""
    if isinstance(schema, list):
        for one in cast("list[Any]", schema):
            yield from members(one, document, within=within)
    elif isinstance(schema, dict):
        response = cast("dict[str, Any]", schema)
        if "$ref" in response and response["$ref"] not in within:
            yield from members(
                document["components"]["schemas"][response["$ref"].rpartition("/")[2]],
                document,
                within=within | {response["$ref"]},
            )
        yield from response.get("properties", {})
        yield from members(list(response.values()), document, within=within)


async def test_an_auditor_is_seen_at_every_route_they_reach(office: OfficeHarness) -> None:
    mine: list[Route] = [route for route in TABLE.routes if AUDITED_ROLES & route.roles]
    for route in mine:
        response = await office.harness.ask(
            route.method,
            filled(route),
            group=route.group,
            headers=office.harness.bearer("auditor") | REASON,
        )
        assert response.status == 200, route.permission
    db: Mongo = office.harness.gateway.internal_api.state.life.db
    rows = await db.find("audit", {"action": "access.looked"})
    assert Counter(row["permission"] for row in rows) == Counter(route.permission for route in mine)


@pytest.mark.scenario("P5/gateway")
async def test_an_auditor_sees_a_name_only_for_a_reason_which_is_recorded(
    office: OfficeHarness,
) -> None:
    user_id = "u-1"
    path = "/v1/participants/p-1/identity?purpose=audit"
    for headers in ({}, {"access-reason": "ya"}, {"access-reason": " " * 40}):
        response = await office.harness.ask(
            "GET", path, headers=office.harness.bearer("auditor", user_id) | headers
        )
        assert (response.status, response.content["code"], response.content["field"]) == (
            403,
            "reason_needed",
            "access-reason",
        )
    assert office.harness.upstream.seen == []
    assert (
        await office.harness.ask(
            "GET", path, headers=office.harness.bearer("auditor", user_id) | REASON
        )
    ).status == 200
    assert "access-reason" not in office.harness.upstream.last.headers
    db: Mongo = office.harness.gateway.internal_api.state.life.db
    [row] = await db.find("audit", {"action": "access.looked"})
    assert (row["actor"], row["role"], row["reason"], row["path"]) == (
        user_id,
        "auditor",
        REASON["access-reason"],
        "/v1/participants/p-1/identity",
    )
    assert (
        await office.harness.ask("GET", path, headers=office.harness.bearer("case_officer"))
    ).status == 200, "an officer states a purpose to training"


async def test_nobody_looks_unseen_while_the_record_cannot_be_written(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, FILE.read_text(), ROLE_PERMISSIONS, small=True) as harness:
        response = await harness.ask("GET", "/v1/classes", headers=harness.bearer("auditor"))
        assert (response.status, response.content["code"]) == (503, "identity_away")
        assert harness.upstream.seen == []


async def test_an_auditor_acts_under_a_letter_of_assignment(
    tmp_path: Path, mongo_url: str, database: str
) -> None:
    url = Keys.make(tmp_path).settings("gateway", mongo_url=mongo_url, database=database, kafka="")[
        "mongo_url"
    ]
    async with running_gateway(
        tmp_path, FILE.read_text(), ROLE_PERMISSIONS, oidc=OIDC, living=True, mongo_url=url
    ) as harness:
        await eventually(lambda: known(harness), seconds=30)
        office = OfficeHarness(harness)
        user_id = await office.person("pak-irjen")
        assert (await office.assigned(user_id, "auditor")).content["code"] == "letter_needed"
        assert (await office.assigned(user_id, "auditor", letter="ST-4/2026")).status == 201
        assert (
            await harness.ask("GET", "/v1/classes", headers=office.bearer("pak-irjen"))
        ).status == 200
        db: Mongo = harness.gateway.internal_api.state.life.db
        [row] = await db.find("audit", {"action": "access.looked"})
        assert (row["actor"], row["letter"], row["permission"]) == (
            user_id,
            "ST-4/2026",
            "GET /v1/classes",
        )
