"""Deputies by letter, and second persons from the Kanwil."""

from __future__ import annotations

import time
from typing import Any

from gateway.access.permissions import ROLE_PERMISSIONS
from gateway.access.permissions.four_eyes import SECOND_PERSON_PERMISSIONS
from gateway.routing import parser
from tests.fakes import eventually
from tests.gateway.region import FILE, OfficeHarness, caller_of

HEAD_APPROVAL = "/v1/tpp-decisions/d-1/head-approval"


async def test_a_deputy_acts_by_letter_except_for_what_the_letter_excludes(
    office: OfficeHarness,
) -> None:
    head = await office.person("kalapas")
    deputy = await office.person("kasi")
    await office.assigned(head, "head")
    response = await office.assigned(
        deputy,
        "head",
        kind="plh",
        letter="W.7-PAS-12/2026",
        on_behalf_of=head,
        excluded=["POST /v1/snapshots/{snapshot_id}/release"],
    )
    assert response.status == 201
    assert (
        await office.harness.ask("POST", HEAD_APPROVAL, headers=office.bearer("kasi"), json={})
    ).status == 200
    caller = caller_of(office)
    assert (caller.subject, caller.role, caller.on_behalf_of) == (deputy, "head", head)
    assert "POST /v1/snapshots/{snapshot_id}/release" not in caller.permissions, (
        "the service would refuse it as well"
    )
    refused = await office.harness.ask(
        "POST", "/v1/snapshots/s-1/release", headers=office.bearer("kasi"), json={}
    )
    assert (refused.status, refused.content["code"]) == (403, "act_excluded")


async def test_a_deputy_leaves_with_the_official_they_act_for(office: OfficeHarness) -> None:
    head = await office.person("kalapas")
    deputy = await office.person("kasi")
    grant_id = (await office.assigned(head, "head")).content["grant_id"]
    await office.assigned(deputy, "head", kind="plh", letter="W.7", on_behalf_of=head)
    headers = office.bearer("kasi", issued=time.time() - 1)
    assert (await office.harness.ask("POST", HEAD_APPROVAL, headers=headers, json={})).status == 200
    await office.admin("POST", f"grants/{grant_id}/end")

    async def refused() -> bool:
        return (
            await office.harness.ask("POST", HEAD_APPROVAL, headers=headers, json={})
        ).status == 401

    await eventually(refused)
    response = await office.harness.ask(
        "POST", HEAD_APPROVAL, headers=office.bearer("kasi", jti="t-2"), json={}
    )
    assert (response.status, response.content["code"]) == (403, "no_grant")
    why = (
        await office.admin(
            "POST", "explain", {"method": "POST", "path": HEAD_APPROVAL, "user_id": deputy}
        )
    ).content
    assert why["allowed"] is False
    assert why["steps"][-1]["words"].endswith(
        "pejabat yang digantikan tidak lagi memegang peran itu."
    )


async def test_a_deputy_of_a_disabled_user_acts_again_when_they_are_enabled(
    office: OfficeHarness,
) -> None:
    head = await office.person("kalapas")
    deputy = await office.person("kasi")
    await office.assigned(head, "head")
    await office.assigned(deputy, "head", kind="plh", letter="W.7", on_behalf_of=head)
    headers = office.bearer("kasi", issued=time.time() - 1)
    assert (await office.harness.ask("POST", HEAD_APPROVAL, headers=headers, json={})).status == 200
    await office.admin("POST", f"users/{head}/disable")
    await office.harness.gateway.caller_directory.refresh_revocations()
    assert (await office.harness.ask("POST", HEAD_APPROVAL, headers=headers, json={})).status == 401
    assert (
        await office.harness.ask(
            "POST", HEAD_APPROVAL, headers=office.bearer("kasi", jti="t-2"), json={}
        )
    ).content["code"] == "no_grant"
    await office.admin("POST", f"users/{head}/enable")
    assert (
        await office.harness.ask(
            "POST", HEAD_APPROVAL, headers=office.bearer("kasi", jti="t-3"), json={}
        )
    ).status == 200


async def test_a_deputy_needs_the_officials_office_scope_and_a_letter(
    office: OfficeHarness,
) -> None:
    head = await office.person("kalapas")
    deputy = await office.person("kasi")
    await office.assigned(head, "head", days=(-1, 30))
    cases: list[tuple[dict[str, Any], str]] = [
        ({"on_behalf_of": head}, "letter_needed"),
        ({"on_behalf_of": deputy, "letter": "W.7"}, "nothing_to_delegate"),
        ({"letter": "W.7"}, "nothing_to_delegate"),
        ({"on_behalf_of": head, "letter": "W.7", "days": (31, 60)}, "nothing_to_delegate"),
        ({"on_behalf_of": head, "letter": "W.7", "days": (0, 200)}, "period_too_long"),
    ]
    for more, code in cases:
        response = await office.assigned(deputy, "head", kind="plh", **more)
        assert (response.status, response.content["code"]) == (422, code)
    acting = await office.assigned(deputy, "head", kind="plt", letter="W.8")
    assert acting.content["on_behalf_of"] == "office:head"


async def test_a_kanwil_officer_is_the_second_person_and_nothing_else(
    office: OfficeHarness,
) -> None:
    second = await office.person("pak-kanwil")
    assert (await office.assigned(second, "head", kind="second", letter="W.9")).content[
        "code"
    ] == "not_of_kanwil"
    assert (await office.assigned(second, "kanwil")).content["code"] == "role_not_givable"
    await office.of_kanwil(second)
    grant_id = (await office.assigned(second, "head", kind="second", letter="W.9")).content[
        "grant_id"
    ]
    headers = office.bearer("pak-kanwil") | {"acting-grant": grant_id}
    assert (await office.harness.ask("POST", HEAD_APPROVAL, headers=headers, json={})).status == 200
    assert (await office.harness.ask("GET", "/v1/tpp-decisions/d-1", headers=headers)).status == 200
    for path in ("/v1/training-tasks/i-1/resolutions", "/v1/split-policies/p-1/retirement"):
        assert (await office.harness.ask("POST", path, headers=headers, json={})).content[
            "code"
        ] == "act_excluded"


def test_what_a_second_may_be_lent_is_routed() -> None:
    routed = {
        route.permission for route in parser.parse_routes(FILE.read_text(), ROLE_PERMISSIONS).routes
    }
    assert routed >= SECOND_PERSON_PERMISSIONS
