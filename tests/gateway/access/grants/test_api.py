"""Users and grants as administrators manage them."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from chassis.persistence.mongo import Mongo
from gateway.access.identity import BUILTIN_ISSUER, HOLDER_ISSUER
from tests.gateway.region import OIDC, TODAY, OfficeHarness, caller_of

HEAD_APPROVAL = "/v1/tpp-decisions/d-1/head-approval"


async def test_an_administrator_manages_a_user_of_their_place(
    office: OfficeHarness,
) -> None:
    user_id = await office.person("siti")
    assert await office.person("siti") == user_id, "a lost answer makes no second one"
    for number in range(3):
        await office.person(f"budi-{number}")
    first = (await office.admin("GET", "users?limit=3")).content
    rest = (await office.admin("GET", f"users?limit=3&cursor={first['next_cursor']}")).content
    assert [len(first["items"]), len(rest["items"]), rest["next_cursor"]] == [3, 1, None]
    assert (await office.assigned(user_id, "training_officer")).status == 201
    assert (
        await office.harness.ask("GET", "/v1/classes", headers=office.bearer("siti"))
    ).status == 200
    assert (await office.admin("POST", f"users/{user_id}/disable")).content["disabled_at"]
    assert (
        await office.harness.ask("GET", "/v1/classes", headers=office.bearer("siti", jti="t-2"))
    ).status == 403
    assert (await office.admin("POST", f"users/{user_id}/enable")).content["disabled_at"] is None
    assert (await office.admin("GET", f"users/{user_id}")).content["external"] == "siti"


async def test_users_and_grants_of_another_place_look_like_unknown_ones(
    office: OfficeHarness,
) -> None:
    user_id = await office.person("siti")
    grant_id = (await office.assigned(user_id, "training_officer")).content["grant_id"]
    paths = [
        ("GET", f"users/{user_id}"),
        ("POST", f"users/{user_id}/disable"),
        ("GET", f"grants/{grant_id}"),
        ("POST", f"grants/{grant_id}/end"),
    ]
    for method, path in paths:
        kind = path.split("/")[0]
        elsewhere = await office.admin(method, path, facility="LP-PKP")
        unknown = await office.admin(
            method, path.replace(user_id, "nobody").replace(grant_id, "nothing"), facility="LP-PKP"
        )
        assert elsewhere.status == unknown.status == 404, kind
        assert elsewhere.content | {"request_id": ""} == unknown.content | {"request_id": ""}
        varying = {"x-request-id", "date", "ratelimit"}
        assert {
            name: value for name, value in elsewhere.headers.items() if name not in varying
        } == {n: v for n, v in unknown.headers.items() if n not in varying}
    assert (await office.admin("GET", "users", facility="LP-PKP")).content["items"] == []
    assert (await office.admin("GET", f"grants?user_id={user_id}", facility="LP-PKP")).content[
        "items"
    ] == []


async def test_an_administrator_gives_no_more_than_they_have_and_not_to_self(
    office: OfficeHarness,
) -> None:
    user_id = await office.person("siti")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"claims": {"facility": ["LP-PKP"]}}, "scope_too_wide"),
        ({"claims": {"facility": ["*"]}}, "scope_too_wide"),
        ({"claims": {"lsp": ["lsp-1"]}}, "scope_too_wide"),
        ({"role": "operator"}, "role_not_givable"),
        ({"role": "kanwil"}, "role_not_givable"),
        ({"role": "dinas_placement"}, "role_not_givable"),
        ({"excluded": ["POST /v1/lsps"]}, "act_unknown"),
    ]
    for more, code in cases:
        response = await office.assigned(
            user_id,
            more.get("role", "training_officer"),
            **{name: value for name, value in more.items() if name != "role"},
        )
        assert (response.status, response.content["code"]) == (422, code)
    first = TODAY.isoformat()
    last = (TODAY + timedelta(days=1)).isoformat()
    body = {
        "user_id": user_id,
        "role": "head",
        "claims": {"facility": ["LP-TJP"]},
        "valid_from": first,
        "valid_until": last,
    }
    assert (await office.admin("POST", "grants", body, subject=user_id)).content[
        "code"
    ] == "grant_to_self"
    assert (await office.admin("POST", "grants", body, role="head")).status == 403


async def test_a_grant_with_one_idempotency_key_is_one_and_its_end_ends_access(
    office: OfficeHarness,
) -> None:
    user_id = await office.person("siti")
    first, again = [
        await office.assigned(user_id, "training_officer", days=(-1, 30)) for _ in range(2)
    ]
    assert first.content["grant_id"] != again.content["grant_id"]
    for grant in (first, again):
        assert (await office.admin("POST", f"grants/{grant.content['grant_id']}/end")).content[
            "ended_at"
        ]
    assert (
        await office.harness.ask("GET", "/v1/classes", headers=office.bearer("siti", jti="t-3"))
    ).status == 403
    last = (TODAY + timedelta(days=3)).isoformat()
    body = {
        "user_id": user_id,
        "role": "training_officer",
        "claims": {"facility": ["LP-TJP"]},
        "valid_from": TODAY.isoformat(),
        "valid_until": last,
    }
    once, twice = [
        await office.admin("POST", "grants", body, headers={"idempotency-key": "k-1"})
        for _ in range(2)
    ]
    assert (once.status, once.content) == (201, twice.content)


async def test_what_administrators_change_is_audited_with_who_did_it(office: OfficeHarness) -> None:
    user_id = await office.person("siti")
    await office.assigned(user_id, "training_officer")
    await office.admin("POST", f"users/{user_id}/disable")
    db: Mongo = office.harness.gateway.internal_api.state.life.db
    rows = [
        (row["action"], row["actor"], row["role"])
        for row in await db.find("audit", {})
        if row["action"].split(".")[0] in {"users", "grants"}
    ]
    assert sorted(rows) == sorted(
        [
            ("users.added", "admin", "administrator"),
            ("grants.added", "admin", "administrator"),
            ("users.changed", "admin", "administrator"),
        ]
    )


async def test_registering_a_person_first_gives_another_place_nothing(
    office: OfficeHarness,
) -> None:
    """LP-PKP's administrator acts on a subject who works at LP-TJP, before and after LP-TJP."""
    siti = {"issuer": OIDC, "external": "siti"}
    first = await office.admin("PUT", "users", siti | {"home": "LP-PKP"}, facility="LP-PKP")
    squatter = first.content["user_id"]
    assert (await office.admin("POST", f"users/{squatter}/disable", facility="LP-PKP")).content[
        "disabled_at"
    ]
    response = await office.admin("PUT", "users", siti | {"home": "LP-TJP"})
    assert (
        response.status,
        response.content["home"],
        response.content["homes"],
        response.content["disabled_at"],
    ) == (200, "LP-TJP", ["LP-TJP"], None), "nothing of the other place is shown"
    user_id = response.content["user_id"]
    assert UUID(user_id).version == 5, (
        "an id that shows its time would show that somebody was first"
    )
    assert "etag" not in (await office.admin("GET", f"users/{user_id}")).headers, (
        "and so would a count of changes"
    )
    assert (await office.assigned(user_id, "training_officer")).status == 201
    headers = office.bearer("siti")
    assert (await office.harness.ask("GET", "/v1/classes", headers=headers)).status == 200
    for method, path in (
        ("POST", f"users/{user_id}/enable"),
        ("POST", f"users/{user_id}/sign-out"),
        ("POST", f"users/{user_id}/disable"),
    ):
        assert (await office.admin(method, path, facility="LP-PKP")).status in {200, 204}, path
    their = await office.admin("GET", f"users/{user_id}", facility="LP-PKP")
    assert (their.content["homes"], their.content["disabled_at"] is not None) == (["LP-PKP"], True)
    assert (await office.admin("GET", f"grants?user_id={user_id}", facility="LP-PKP")).content[
        "items"
    ] == []
    question = {"method": "GET", "path": "/v1/classes", "user_id": user_id}
    assert (await office.admin("POST", "explain", question, facility="LP-PKP")).content[
        "allowed"
    ] is False, "of LP-TJP's grant nothing is shown there"
    assert (await office.admin("GET", f"users/{user_id}")).content["disabled_at"] is None
    await office.harness.gateway.caller_directory.refresh_revocations()
    assert (await office.harness.ask("GET", "/v1/classes", headers=headers)).status == 200, (
        "none of it reached what the rightful place gave"
    )
    assert caller_of(office).claims == {"facility": frozenset({"LP-TJP"})}


async def test_each_place_takes_back_what_it_gave_at_once_and_only_that(
    office: OfficeHarness,
) -> None:
    user_id = await office.person("budi")
    assert await office.person("budi", "LP-PKP") == user_id, (
        "one person is one user for every facility"
    )
    grants = {
        home: (await office.assigned(user_id, "training_officer", facility=home)).content[
            "grant_id"
        ]
        for home in ("LP-TJP", "LP-PKP")
    }
    acting = {
        home: office.bearer("budi", issued=time.time() - 1) | {"acting-grant": grant}
        for home, grant in grants.items()
    }
    assert (await office.harness.ask("GET", "/v1/classes", headers=office.bearer("budi"))).content[
        "code"
    ] == "grant_choice_needed"
    assert [
        (await office.harness.ask("GET", "/v1/classes", headers=headers)).status
        for headers in acting.values()
    ] == [200, 200]
    assert (
        await office.admin("POST", f"grants/{grants['LP-TJP']}/end", facility="LP-PKP")
    ).status == 404
    await office.admin("POST", f"grants/{grants['LP-PKP']}/end", facility="LP-PKP")
    await office.harness.gateway.caller_directory.refresh_revocations()
    assert [
        (await office.harness.ask("GET", "/v1/classes", headers=headers)).status
        for headers in acting.values()
    ] == [200, 401]
    await office.admin("POST", f"users/{user_id}/disable")
    await office.harness.gateway.caller_directory.refresh_revocations()
    assert (await office.harness.ask("GET", "/v1/classes", headers=acting["LP-TJP"])).status == 401
    fresh = office.bearer("budi", jti="t-9") | {"acting-grant": grants["LP-TJP"]}
    assert (await office.harness.ask("GET", "/v1/classes", headers=fresh)).content[
        "code"
    ] == "no_grant"
    assert (await office.admin("POST", f"users/{user_id}/enable")).content["disabled_at"] is None
    assert (
        await office.harness.ask("GET", "/v1/classes", headers=office.bearer("budi", jti="t-10"))
    ).status == 200


async def test_one_kanwil_officer_is_second_at_several_places_and_leaves_all(
    office: OfficeHarness,
) -> None:
    second = await office.person("pak-kanwil")
    kanwil = (await office.of_kanwil(second)).content["grant_id"]
    assert await office.person("pak-kanwil", "LP-PKP") == second
    lent = (
        await office.assigned(second, "head", facility="LP-PKP", kind="second", letter="W.9")
    ).content["grant_id"]
    headers = office.bearer("pak-kanwil", issued=time.time() - 1) | {"acting-grant": lent}
    assert (await office.harness.ask("POST", HEAD_APPROVAL, headers=headers, json={})).status == 200
    await office.admin("POST", f"grants/{kanwil}/end", facility="*")
    await office.harness.gateway.caller_directory.refresh_revocations()
    assert (await office.harness.ask("POST", HEAD_APPROVAL, headers=headers, json={})).status == 401


async def test_our_own_logins_and_systems_are_not_registered_by_naming_them(
    office: OfficeHarness,
) -> None:
    for issuer in (BUILTIN_ISSUER, HOLDER_ISSUER):
        response = await office.admin(
            "PUT",
            "users",
            {"issuer": issuer, "external": "client/dinas-belitung", "home": "LP-TJP"},
        )
        assert (response.status, response.content["code"], response.content["field"]) == (
            422,
            "issuer_ours",
            "issuer",
        )
    assert (
        await office.admin("PUT", "users", {"issuer": OIDC, "external": "siti", "home": "LP-PKP"})
    ).status == 404, "nobody is registered for another's place"
    assert await office.person("siti", "LP-PKP")
    assert (
        await office.admin("PUT", "users", {"issuer": OIDC, "external": "siti", "home": "LP-PKP"})
    ).status == 404, "nor where they are known there"
