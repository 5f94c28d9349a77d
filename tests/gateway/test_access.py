"""What administrators may do about others' access: users and grants of their places, delegation by letter, a second pair of eyes."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from chassis.http.internal_tokens import InternalTokenVerifier
from chassis.persistence.mongo import Mongo
from gateway.access.grants import rules
from gateway.access.grants.rules import (
    ROLES_BY_GRANTOR,
    Grant,
    GrantKind,
    Grantor,
    GrantTerms,
    GrantToSelf,
    LetterNeeded,
    NothingToDelegate,
    NotOfKanwil,
    PeriodTooLong,
    ScopeTooWide,
)
from gateway.access.identity import BUILTIN_ISSUER, HOLDER_ISSUER
from gateway.access.permissions import ROLE_PERMISSIONS
from gateway.access.permissions.four_eyes import SECOND_PERSON_PERMISSIONS
from gateway.routing import parser
from tests.fakes import Keys, eventually
from tests.gateway.harness import Told, staged
from tests.gateway.test_database import OIDC, Region, known

FILE = Path(parser.__file__).with_name("routes.toml")
TODAY = datetime.now(UTC)
HEAD_APPROVAL = "/v1/tpp-decisions/d-1/head-approval"


class Office(Region):
    """A region with the real routes and roles, and its administrators."""

    async def admin(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        facility: str = "LP-TJP",
        subject: str = "admin",
        role: str = "administrator",
        **more: Any,
    ) -> Told:
        """What the administrators' side answers through the door."""
        return await self.stage.ask(
            method,
            f"/v1/access/{path}",
            headers=self.stage.bearer(role, subject, facility=facility) | more.pop("headers", {}),
            json=body,
            **more,
        )

    async def person(self, external: str, home: str = "LP-TJP") -> str:
        """A registered person's id."""
        return (
            await self.admin(
                "PUT", "users", {"issuer": OIDC, "external": external, "home": home}, facility=home
            )
        ).content["user_id"]

    async def assigned(
        self,
        user_id: str,
        role: str,
        *,
        days: tuple[int, int] = (-1, 30),
        facility: str = "LP-TJP",
        **more: Any,
    ) -> Told:
        """The answer to a new grant."""
        first, last = ((TODAY + timedelta(days=day)).isoformat() for day in days)
        body = {
            "user_id": user_id,
            "role": role,
            "claims": {"facility": [facility]},
            "valid_from": first,
            "valid_until": last,
        } | more
        return await self.admin("POST", "grants", body, facility=facility)


@pytest.fixture
async def office(tmp_path: Path, mongo_url: str, database: str) -> AsyncGenerator[Office]:
    """Such an office."""
    url = Keys.make(tmp_path).settings("gateway", mongo_url=mongo_url, database=database, kafka="")[
        "mongo_url"
    ]
    async with staged(
        tmp_path, FILE.read_text(), ROLE_PERMISSIONS, oidc=OIDC, living=True, mongo_url=url
    ) as stage:
        await eventually(lambda: known(stage), seconds=30)
        yield Office(stage)


def caller_of(office: Office, service: str = "training") -> Any:
    """Whom the service was told of last."""
    return InternalTokenVerifier(service, office.stage.keys.directory).caller(
        office.stage.upstream.last.headers["authorization"].removeprefix("Bearer ")
    )


async def test_an_administrator_registers_shows_lists_disables_and_enables_a_user_of_their_place(
    office: Office,
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
        await office.stage.ask("GET", "/v1/classes", headers=office.bearer("siti"))
    ).status == 200
    assert (await office.admin("POST", f"users/{user_id}/disable")).content["disabled_at"]
    assert (
        await office.stage.ask("GET", "/v1/classes", headers=office.bearer("siti", jti="t-2"))
    ).status == 403
    assert (await office.admin("POST", f"users/{user_id}/enable")).content["disabled_at"] is None
    assert (await office.admin("GET", f"users/{user_id}")).content["external"] == "siti"


async def test_users_and_grants_of_another_place_are_told_from_unknown_ones_by_nothing(
    office: Office,
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


async def test_an_administrator_gives_no_more_than_they_have_and_nothing_to_themselves(
    office: Office,
) -> None:
    user_id = await office.person("siti")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"claims": {"facility": ["LP-PKP"]}}, "scope_too_wide"),
        ({"claims": {"facility": ["*"]}}, "scope_too_wide"),
        ({"claims": {"lsp": ["lsp-1"]}}, "scope_too_wide"),
        ({"role": "operator"}, "role_not_givable"),
        ({"role": "dinas_placement"}, "role_not_givable"),
        ({"excluded": ["POST /v1/lsps"]}, "act_unknown"),
    ]
    for more, code in cases:
        told = await office.assigned(
            user_id,
            more.get("role", "training_officer"),
            **{name: value for name, value in more.items() if name != "role"},
        )
        assert (told.status, told.content["code"]) == (422, code)
    first, last = TODAY.isoformat(), (TODAY + timedelta(days=1)).isoformat()
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


async def test_a_grant_given_twice_with_one_idempotency_key_is_one_and_ending_it_ends_the_access(
    office: Office,
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
        await office.stage.ask("GET", "/v1/classes", headers=office.bearer("siti", jti="t-3"))
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


async def test_what_administrators_change_is_audited_with_who_did_it(office: Office) -> None:
    user_id = await office.person("siti")
    await office.assigned(user_id, "training_officer")
    await office.admin("POST", f"users/{user_id}/disable")
    db: Mongo = office.stage.door.internal_api.state.life.db
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


# One subject, several places


async def test_whoever_names_another_places_person_first_neither_holds_them_nor_learns_of_them(
    office: Office,
) -> None:
    """LP-PKP's administrator registers, grants, disables and signs out a subject who works at LP-TJP, before and after LP-TJP does."""
    siti = {"issuer": OIDC, "external": "siti"}
    first = await office.admin("PUT", "users", siti | {"home": "LP-PKP"}, facility="LP-PKP")
    squatter = first.content["user_id"]
    assert (await office.admin("POST", f"users/{squatter}/disable", facility="LP-PKP")).content[
        "disabled_at"
    ]
    told = await office.admin("PUT", "users", siti | {"home": "LP-TJP"})
    assert (
        told.status,
        told.content["home"],
        told.content["homes"],
        told.content["disabled_at"],
    ) == (200, "LP-TJP", ["LP-TJP"], None), "nothing of the other place is told"
    user_id = told.content["user_id"]
    assert UUID(user_id).version == 5, "an id that told its time would tell that somebody was first"
    assert "etag" not in (await office.admin("GET", f"users/{user_id}")).headers, (
        "and so would a count of changes"
    )
    assert (await office.assigned(user_id, "training_officer")).status == 201
    headers = office.bearer("siti")
    assert (await office.stage.ask("GET", "/v1/classes", headers=headers)).status == 200
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
    ] is False, "of LP-TJP's grant nothing is told there"
    assert (await office.admin("GET", f"users/{user_id}")).content["disabled_at"] is None
    await office.stage.door.caller_directory.refresh_revocations()
    assert (await office.stage.ask("GET", "/v1/classes", headers=headers)).status == 200, (
        "none of it reached what the rightful place gave"
    )
    assert caller_of(office).claims == {"facility": frozenset({"LP-TJP"})}


async def test_each_place_takes_back_what_it_gave_at_once_and_only_that(office: Office) -> None:
    user_id = await office.person("budi")
    assert await office.person("budi", "LP-PKP") == user_id, "one person is one user, whoever asks"
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
    assert (await office.stage.ask("GET", "/v1/classes", headers=office.bearer("budi"))).content[
        "code"
    ] == "grant_choice_needed"
    assert [
        (await office.stage.ask("GET", "/v1/classes", headers=headers)).status
        for headers in acting.values()
    ] == [200, 200]
    assert (
        await office.admin("POST", f"grants/{grants['LP-TJP']}/end", facility="LP-PKP")
    ).status == 404
    await office.admin("POST", f"grants/{grants['LP-PKP']}/end", facility="LP-PKP")
    await office.stage.door.caller_directory.refresh_revocations()
    assert [
        (await office.stage.ask("GET", "/v1/classes", headers=headers)).status
        for headers in acting.values()
    ] == [200, 401]
    await office.admin("POST", f"users/{user_id}/disable")
    await office.stage.door.caller_directory.refresh_revocations()
    assert (await office.stage.ask("GET", "/v1/classes", headers=acting["LP-TJP"])).status == 401
    fresh = office.bearer("budi", jti="t-9") | {"acting-grant": grants["LP-TJP"]}
    assert (await office.stage.ask("GET", "/v1/classes", headers=fresh)).content[
        "code"
    ] == "no_grant"
    assert (await office.admin("POST", f"users/{user_id}/enable")).content["disabled_at"] is None
    assert (
        await office.stage.ask("GET", "/v1/classes", headers=office.bearer("budi", jti="t-10"))
    ).status == 200


async def test_one_officer_of_the_kanwil_is_the_second_at_several_places_and_leaves_them_all(
    office: Office,
) -> None:
    second = await office.person("pak-kanwil")
    kanwil = (await office.assigned(second, "kanwil")).content["grant_id"]
    assert await office.person("pak-kanwil", "LP-PKP") == second
    lent = (
        await office.assigned(second, "head", facility="LP-PKP", kind="second", letter="W.9")
    ).content["grant_id"]
    headers = office.bearer("pak-kanwil", issued=time.time() - 1) | {"acting-grant": lent}
    assert (await office.stage.ask("POST", HEAD_APPROVAL, headers=headers, json={})).status == 200
    await office.admin("POST", f"grants/{kanwil}/end")
    await office.stage.door.caller_directory.refresh_revocations()
    assert (await office.stage.ask("POST", HEAD_APPROVAL, headers=headers, json={})).status == 401


async def test_our_own_logins_and_systems_are_not_registered_by_naming_them(office: Office) -> None:
    for issuer in (BUILTIN_ISSUER, HOLDER_ISSUER):
        told = await office.admin(
            "PUT",
            "users",
            {"issuer": issuer, "external": "client/dinas-belitung", "home": "LP-TJP"},
        )
        assert (told.status, told.content["code"], told.content["field"]) == (
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


# Delegation


async def test_a_deputy_acts_on_the_heads_behalf_by_letter_but_for_what_the_letter_excludes(
    office: Office,
) -> None:
    head, deputy = await office.person("kalapas"), await office.person("kasi")
    await office.assigned(head, "head")
    told = await office.assigned(
        deputy,
        "head",
        kind="plh",
        letter="W.7-PAS-12/2026",
        on_behalf_of=head,
        excluded=["POST /v1/snapshots/{snapshot_id}/release"],
    )
    assert told.status == 201
    assert (
        await office.stage.ask("POST", HEAD_APPROVAL, headers=office.bearer("kasi"), json={})
    ).status == 200
    caller = caller_of(office)
    assert (caller.subject, caller.role, caller.on_behalf_of) == (deputy, "head", head)
    assert "POST /v1/snapshots/{snapshot_id}/release" not in caller.permissions, (
        "the service would refuse it as well"
    )
    refused = await office.stage.ask(
        "POST", "/v1/snapshots/s-1/release", headers=office.bearer("kasi"), json={}
    )
    assert (refused.status, refused.content["code"]) == (403, "act_excluded")


async def test_a_deputy_leaves_with_the_official_they_stand_for(office: Office) -> None:
    head, deputy = await office.person("kalapas"), await office.person("kasi")
    grant_id = (await office.assigned(head, "head")).content["grant_id"]
    await office.assigned(deputy, "head", kind="plh", letter="W.7", on_behalf_of=head)
    headers = office.bearer("kasi", issued=time.time() - 1)
    assert (await office.stage.ask("POST", HEAD_APPROVAL, headers=headers, json={})).status == 200
    await office.admin("POST", f"grants/{grant_id}/end")

    async def refused() -> bool:
        return (
            await office.stage.ask("POST", HEAD_APPROVAL, headers=headers, json={})
        ).status == 401

    await eventually(refused)
    told = await office.stage.ask(
        "POST", HEAD_APPROVAL, headers=office.bearer("kasi", jti="t-2"), json={}
    )
    assert (told.status, told.content["code"]) == (403, "no_grant")
    why = (
        await office.admin(
            "POST", "explain", {"method": "POST", "path": HEAD_APPROVAL, "user_id": deputy}
        )
    ).content
    assert why["allowed"] is False
    assert why["steps"][-1]["words"].endswith(
        "pejabat yang digantikan tidak lagi memegang peran itu."
    )


async def test_a_deputy_of_somebody_who_is_disabled_acts_no_more_until_they_are_enabled(
    office: Office,
) -> None:
    head, deputy = await office.person("kalapas"), await office.person("kasi")
    await office.assigned(head, "head")
    await office.assigned(deputy, "head", kind="plh", letter="W.7", on_behalf_of=head)
    headers = office.bearer("kasi", issued=time.time() - 1)
    assert (await office.stage.ask("POST", HEAD_APPROVAL, headers=headers, json={})).status == 200
    await office.admin("POST", f"users/{head}/disable")
    await office.stage.door.caller_directory.refresh_revocations()
    assert (await office.stage.ask("POST", HEAD_APPROVAL, headers=headers, json={})).status == 401
    assert (
        await office.stage.ask(
            "POST", HEAD_APPROVAL, headers=office.bearer("kasi", jti="t-2"), json={}
        )
    ).content["code"] == "no_grant"
    await office.admin("POST", f"users/{head}/enable")
    assert (
        await office.stage.ask(
            "POST", HEAD_APPROVAL, headers=office.bearer("kasi", jti="t-3"), json={}
        )
    ).status == 200


async def test_nobody_is_deputy_of_somebody_without_that_office_or_for_more_than_theirs_or_without_a_letter(
    office: Office,
) -> None:
    head, deputy = await office.person("kalapas"), await office.person("kasi")
    await office.assigned(head, "head", days=(-1, 30))
    cases: list[tuple[dict[str, Any], str]] = [
        ({"on_behalf_of": head}, "letter_needed"),
        ({"on_behalf_of": deputy, "letter": "W.7"}, "nothing_to_delegate"),
        ({"letter": "W.7"}, "nothing_to_delegate"),
        ({"on_behalf_of": head, "letter": "W.7", "days": (31, 60)}, "nothing_to_delegate"),
        ({"on_behalf_of": head, "letter": "W.7", "days": (0, 200)}, "period_too_long"),
    ]
    for more, code in cases:
        told = await office.assigned(deputy, "head", kind="plh", **more)
        assert (told.status, told.content["code"]) == (422, code)
    acting = await office.assigned(deputy, "head", kind="plt", letter="W.8")
    assert acting.content["on_behalf_of"] == "office:head"


async def test_an_officer_of_the_kanwil_lends_the_second_pair_of_eyes_and_nothing_else(
    office: Office,
) -> None:
    second = await office.person("pak-kanwil")
    assert (await office.assigned(second, "head", kind="second", letter="W.9")).content[
        "code"
    ] == "not_of_kanwil"
    await office.assigned(second, "kanwil")
    grant_id = (await office.assigned(second, "head", kind="second", letter="W.9")).content[
        "grant_id"
    ]
    headers = office.bearer("pak-kanwil") | {"acting-grant": grant_id}
    assert (await office.stage.ask("POST", HEAD_APPROVAL, headers=headers, json={})).status == 200
    assert (await office.stage.ask("GET", "/v1/tpp-decisions/d-1", headers=headers)).status == 200
    for path in ("/v1/training-tasks/i-1/resolution", "/v1/split-policies/p-1/retirement"):
        assert (await office.stage.ask("POST", path, headers=headers, json={})).content[
            "code"
        ] == "act_excluded"


def test_what_a_second_may_be_lent_is_routed() -> None:
    routed = {
        route.permission for route in parser.parse_routes(FILE.read_text(), ROLE_PERMISSIONS).routes
    }
    assert routed >= SECOND_PERSON_PERMISSIONS


# The rules alone

GIVER = Grantor(
    name="u-9",
    roles=ROLES_BY_GRANTOR["administrator"],
    claims={"facility": frozenset({"LP-TJP", "LP-PKP"})},
)


def given(
    *, held: Sequence[Grant] = (), officials: Sequence[Grant] = (), days: int = 30, **more: Any
) -> Grant:
    told: dict[str, Any] = {
        "role": "head",
        "claims": {"facility": ["LP-TJP"]},
        "valid_from": TODAY,
        "valid_until": TODAY + timedelta(days=days),
    }
    return rules.give(
        GrantTerms(**(told | more)),
        id="g-1",
        user_id="u-1",
        home="LP-TJP",
        grantor=GIVER,
        held_grants=held,
        official_grants=officials,
    )


def test_a_deputy_of_an_administrator_gives_nothing_to_the_one_they_act_for() -> None:
    terms = GrantTerms(
        role="head",
        claims={"facility": ["LP-TJP"]},
        valid_from=TODAY,
        valid_until=TODAY + timedelta(days=1),
    )
    for receiver in (GIVER.name, "u-8"):
        with pytest.raises(GrantToSelf):
            rules.give(
                terms,
                id="g-1",
                user_id=receiver,
                home="LP-TJP",
                grantor=replace(GIVER, on_behalf_of="u-8"),
            )


def test_an_auditor_is_bound_to_a_letter_a_scope_and_a_year_at_most() -> None:
    assert given(role="auditor", letter="ST-4").letter == "ST-4"
    lacking: list[dict[str, Any]] = [
        {},
        {"letter": "ST-4", "claims": {}},
        {"letter": "ST-4", "claims": {"facility": []}},
    ]
    for more in lacking:
        with pytest.raises(LetterNeeded):
            given(role="auditor", **more)
    with pytest.raises(PeriodTooLong):
        given(role="auditor", letter="ST-4", days=367)
    with pytest.raises(PeriodTooLong):
        given(kind=GrantKind.PLT, role="auditor", letter="W.7", days=185)


@pytest.mark.parametrize(
    "claims",
    [
        {"facility": ["LP-TJP", "LP-PKP"]},
        {"facility": ["LP-PKP"]},
        {"facility": ["*"]},
        {"lsp": ["x"]},
        {},
    ],
)
def test_a_deputys_rows_are_never_more_than_the_officials(claims: dict[str, list[str]]) -> None:
    official = given()
    with pytest.raises((NothingToDelegate, ScopeTooWide, LetterNeeded)):
        given(
            kind=GrantKind.PLH,
            letter="W.7",
            on_behalf_of="u-2",
            claims=claims,
            officials=[official],
        )
    assert (
        given(
            kind=GrantKind.PLH, letter="W.7", on_behalf_of="u-2", officials=[official]
        ).on_behalf_of
        == "u-2"
    )


def test_a_deputy_does_not_appoint_a_deputy_and_a_former_officer_of_the_kanwil_is_no_second() -> (
    None
):
    deputy = given(kind=GrantKind.PLH, letter="W.7", on_behalf_of="u-2", officials=[given()])
    with pytest.raises(NothingToDelegate):
        given(kind=GrantKind.PLH, letter="W.8", on_behalf_of="u-1", officials=[deputy])
    former = rules.end(given(role="kanwil"), now=TODAY)
    with pytest.raises(NotOfKanwil):
        given(kind=GrantKind.SECOND, letter="W.9", held=[former])


def test_a_deputy_has_no_more_than_the_official_has_now_and_no_longer() -> None:
    acts = [
        "POST /v1/snapshots/{snapshot_id}/release",
        "POST /v1/tpp-decisions/{decision_id}/head-approval",
    ]
    official = given(days=10, excluded=acts[:1])
    deputy = given(
        kind=GrantKind.PLH,
        letter="W.7",
        on_behalf_of="u-2",
        officials=[official],
        excluded=acts[1:],
        days=30,
    )
    [held] = rules.limit_to_officials([deputy], {"u-2": [official]}, TODAY)
    assert (held.valid_until, held.excluded) == (official.valid_until, tuple(acts))
    assert rules.limit_to_officials([deputy], {"u-2": [official]}, official.valid_until) == []
    wider = replace(official, excluded=())
    assert rules.limit_to_officials([deputy], {"u-2": [official, wider]}, TODAY)[0].excluded == (
        acts[1],
    ), "the official may act under either"


def test_a_second_leaves_with_their_place_at_the_kanwil() -> None:
    kanwil = given(role="kanwil", days=10)
    second = given(kind=GrantKind.SECOND, letter="W.9", held=[kanwil], days=30)
    assert [one.valid_until for one in rules.limit_to_officials([second, kanwil], {}, TODAY)] == [
        kanwil.valid_until
    ] * 2
    assert rules.limit_to_officials([second, kanwil], {}, kanwil.valid_until) == [kanwil]
    assert (
        rules.limit_to_officials([second, rules.end(kanwil, now=TODAY)], {}, TODAY)[0].role
        == "kanwil"
    )
