"""What goes through the door, and how it looks on the other side."""

from chassis.http.internal_tokens import InternalTokenVerifier
from gateway.host_group import Group
from tests.gateway.harness import Stage, fixed


async def test_a_permitted_request_reaches_its_service_with_a_token_that_names_the_caller(
    stage: Stage,
) -> None:
    told = await stage.ask(
        "GET", "/v1/classes/abc?limit=5", headers=stage.bearer(facility="LP-TJP")
    )
    assert told.status == 200
    assert told.content == {"method": "GET", "path": "/v1/classes/abc", "body": 0}
    token = stage.upstream.last.headers["authorization"].removeprefix("Bearer ")
    caller = InternalTokenVerifier("training", stage.keys.directory).caller(token)
    assert caller.role == "training_officer"
    assert caller.claims == {"facility": frozenset({"LP-TJP"})}
    assert "GET /v1/classes/{class_id}" in caller.permissions


async def test_a_public_route_is_served_to_anybody_as_the_public(stage: Stage) -> None:
    told = await stage.ask("GET", "/v1/products", group=Group.SHOP)
    assert told.status == 200
    caller = InternalTokenVerifier("marketplace", stage.keys.directory).caller(
        stage.upstream.last.headers["authorization"].removeprefix("Bearer ")
    )
    assert (caller.subject, caller.role, caller.claims) == ("public", "public", {})


async def test_a_services_own_errors_reach_the_caller_as_they_are(stage: Stage) -> None:
    problem = {
        "type": "urn:bina:problem:class_full",
        "title": "Kelas sudah penuh",
        "status": 409,
        "code": "class_full",
    }
    stage.upstream.answers["/v1/classes"] = fixed(
        409, problem, {"content-type": "application/problem+json"}
    )
    told = await stage.ask("POST", "/v1/classes", headers=stage.bearer(), json={})
    assert (told.status, told.content, told.headers["content-type"]) == (
        409,
        problem,
        "application/problem+json",
    )
