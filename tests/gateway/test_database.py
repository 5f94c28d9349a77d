"""The gateway's own database: users, grants and revocations, on a real MongoDB while Kafka is away."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.http.internal_tokens import InternalTokenVerifier
from chassis.ids import new_id
from chassis.persistence.mongo import Mongo
from gateway.access.grants import rules
from gateway.access.grants.rules import (
    MANPOWER_GRANTOR,
    ROLES_BY_GRANTOR,
    ClaimUnknown,
    Grant,
    GrantChoiceNeeded,
    GrantEnded,
    Grantor,
    GrantTerms,
    NoGrant,
    PeriodEmpty,
    RoleNotGivable,
)
from gateway.access.jwk import public_jwk
from gateway.access.permissions import RolePermissions
from gateway.authn.dev_issuer import AUDIENCE
from tests.fakes import AsgiClient, Keys, eventually
from tests.gateway.harness import RULES, Stage, fixed, staged

OIDC = "https://id.example/realms/region"
TODAY = datetime.now(UTC)
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
DINAS = RolePermissions(
    dict(RULES.by_service)
    | {
        "training": dict(RULES.by_service["training"])
        | {"dinas_placement": frozenset({"GET /v1/classes"})}
    }
)


class Region:
    """A gateway with its database, an OIDC issuer whose key we hold, and manpower's way in."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.key = Ed25519PrivateKey.generate()
        jwk = public_jwk(self.key.public_key())
        self.kid = jwk["kid"]
        stage.upstream.answers["/keys"] = fixed(200, {"keys": [jwk]})
        self._inside = AsgiClient(stage.door.internal_api, stage.keys, "gateway")

    def bearer(
        self, external: str, *, jti: str = "t-1", issued: float | None = None
    ) -> dict[str, str]:
        """The header with a token of the OIDC issuer."""
        now = time.time() if issued is None else issued
        content = {
            "iss": OIDC,
            "aud": AUDIENCE,
            "sub": external,
            "iat": now,
            "exp": now + 600,
            "jti": jti,
            "role": "administrator",
        }
        return {
            "authorization": f"Bearer {jwt.encode(content, self.key, algorithm='EdDSA', headers={'kid': self.kid})}"
        }

    async def told(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        method: str = "PUT",
        service: str = "manpower",
        purpose: str = "manage-access",
    ) -> httpx2.Response:
        """What the internal API answers to a service."""
        return await self._inside.asked_by(service, method, path, purpose=purpose, json=body or {})

    async def user(self, external: str) -> str:
        """A registered user's id."""
        return (await self.told("/internal/users", {"issuer": OIDC, "external": external})).json()[
            "user_id"
        ]

    async def grant(
        self,
        user_id: str,
        role: str = "dinas_placement",
        *,
        days: tuple[int, int] = (-1, 1),
        reference: str = "",
        **claims: list[str],
    ) -> httpx2.Response:
        """Manpower's grant for so many days around today."""
        first, last = (TODAY + timedelta(days=day) for day in days)
        body = {
            "user_id": user_id,
            "role": role,
            "claims": claims or {"regency": ["19.02"]},
            "valid_from": first.isoformat(),
            "valid_until": last.isoformat(),
        }
        return await self.told(f"/internal/grants/{reference or new_id()}", body)


@pytest.fixture
async def region(tmp_path: Path, mongo_url: str, database: str) -> AsyncGenerator[Region]:
    """Such a region."""
    url = Keys.make(tmp_path).settings("gateway", mongo_url=mongo_url, database=database, kafka="")[
        "mongo_url"
    ]
    async with staged(tmp_path, rules=DINAS, oidc=OIDC, living=True, mongo_url=url) as stage:
        await eventually(lambda: known(stage), seconds=30)
        yield Region(stage)


async def known(stage: Stage) -> bool:
    """Whether the revocations were read once."""
    return stage.withdrawn.is_loaded


async def test_the_door_is_ready_while_kafka_is_away(region: Region) -> None:
    async def ready() -> bool:
        return (await region.stage.ask("GET", "/readyz")).status == 200

    await eventually(ready)


async def test_the_door_is_not_ready_before_it_knows_whose_trust_was_withdrawn(
    region: Region,
) -> None:
    life = region.stage.door.internal_api.state.life
    assert await life.missing() == []
    life.withdrawn.known = False  # as before the first look, which comes again within two seconds
    assert (
        await region.stage.ask("GET", "/v1/classes", headers=region.stage.bearer())
    ).status == 503
    assert await life.missing() == ["revocations"]


async def test_a_person_of_an_oidc_issuer_acts_under_the_grant_and_not_under_what_the_token_says(
    region: Region,
) -> None:
    user_id = await region.user("siti")
    assert (await region.grant(user_id, regency=["19.02", "19.06"])).status_code == 200
    told = await region.stage.ask("GET", "/v1/classes", headers=region.bearer("siti"))
    assert told.status == 200
    caller = InternalTokenVerifier("training", region.stage.keys.directory).caller(
        region.stage.upstream.last.headers["authorization"].removeprefix("Bearer ")
    )
    assert (caller.subject, caller.role, caller.claims) == (
        user_id,
        "dinas_placement",
        {"regency": frozenset({"19.02", "19.06"})},
    )


async def test_somebody_known_to_the_issuer_but_not_to_us_is_403_and_so_is_one_whose_grant_is_over_or_not_yet_begun(
    region: Region,
) -> None:
    told = await region.stage.ask("GET", "/v1/classes", headers=region.bearer("budi"))
    assert (told.status, told.content["code"]) == (403, "no_grant")
    user_id = await region.user("budi")
    await region.grant(user_id, days=(-2, -1))
    await region.grant(user_id, days=(1, 2))
    assert (
        await region.stage.ask("GET", "/v1/classes", headers=region.bearer("budi"))
    ).status == 403
    await region.grant(user_id)
    assert (
        await region.stage.ask("GET", "/v1/classes", headers=region.bearer("budi"))
    ).status == 200


async def test_with_two_grants_the_caller_says_which_one(region: Region) -> None:
    user_id = await region.user("siti")
    first = (await region.grant(user_id)).json()["grant_id"]
    await region.grant(user_id, "employer", employer=["pt-timah"])
    told = await region.stage.ask("GET", "/v1/classes", headers=region.bearer("siti"))
    assert (told.status, told.content["code"]) == (403, "grant_choice_needed")
    assert {one["role"] for one in told.content["grants"]} == {"dinas_placement", "employer"}
    assert (
        await region.stage.ask(
            "GET", "/v1/classes", headers=region.bearer("siti") | {"acting-grant": first}
        )
    ).status == 200
    assert (
        await region.stage.ask(
            "GET", "/v1/classes", headers=region.bearer("siti") | {"acting-grant": "somebody-elses"}
        )
    ).status == 403


async def test_ending_a_grant_ends_the_trust_in_tokens_already_proved(region: Region) -> None:
    user_id = await region.user("siti")
    await region.grant(user_id, reference="agency-7.siti")
    headers = region.bearer("siti", issued=time.time() - 1)
    assert (await region.stage.ask("GET", "/v1/classes", headers=headers)).status == 200
    assert (
        await region.told("/internal/grants/somebody-elses", method="DELETE")
    ).status_code == 404
    assert (await region.told("/internal/grants/agency-7.siti", method="DELETE")).status_code == 204

    async def refused() -> bool:
        return (await region.stage.ask("GET", "/v1/classes", headers=headers)).status == 401

    await eventually(refused)
    assert (
        await region.told("/internal/grants/agency-7.siti", method="DELETE")
    ).status_code == 204, "told again, nothing changes"
    assert (await region.grant(user_id, reference="agency-7.siti")).json()["code"] == "grant_ended"


async def test_a_revoked_token_is_refused_by_every_replica_also_after_a_new_start(
    region: Region, tmp_path: Path
) -> None:
    await region.grant(await region.user("siti"))
    assert (
        await region.told(
            "/internal/revocations", {"kind": "token", "target": "t-9"}, method="POST"
        )
    ).status_code == 204
    assert (
        await region.told(
            "/internal/revocations", {"kind": "token", "target": "t-9"}, method="POST"
        )
    ).status_code == 204
    url = region.stage.door.internal_api.state.service.settings.mongo_url.get_secret_value()
    (tmp_path / "second").mkdir()
    async with staged(
        tmp_path / "second", rules=DINAS, oidc=OIDC, living=True, mongo_url=url
    ) as second:
        await eventually(lambda: known(second), seconds=30)
        second.upstream.answers["/keys"] = region.stage.upstream.answers["/keys"]
        for stage in (region.stage, second):

            async def refused(stage: Stage = stage) -> bool:
                return (
                    await stage.ask("GET", "/v1/classes", headers=region.bearer("siti", jti="t-9"))
                ).status == 401

            await eventually(refused)
            assert (
                await stage.ask("GET", "/v1/classes", headers=region.bearer("siti", jti="t-10"))
            ).status == 200


async def test_only_manpower_may_ask_and_only_to_manage_access(region: Region) -> None:
    body = {"issuer": OIDC, "external": "siti"}
    assert (await region.told("/internal/users", body, service="marketplace")).status_code == 403
    assert (await region.told("/internal/users", body, purpose="curiosity")).status_code == 403
    for method, path in (
        ("PUT", "/internal/grants/g-1"),
        ("DELETE", "/internal/grants/g-1"),
        ("POST", "/internal/revocations"),
    ):
        assert (await region.told(path, {}, method=method, service="training")).status_code == 403


async def test_manpower_gives_no_role_of_a_prison(region: Region) -> None:
    user_id = await region.user("siti")
    for role in ("administrator", "head", "boss"):
        told = await region.grant(user_id, role)
        assert (told.status_code, told.json()["code"], told.json()["field"]) == (
            422,
            "role_not_givable",
            "role",
        )
    assert (await region.grant("nobody")).status_code == 404
    for role in ("bapas", "kanwil", "dinas_placement", "dinas_training", "dinas_kukm", "employer"):
        assert (await region.grant(user_id, role)).status_code == 200


async def test_an_answer_that_was_lost_makes_no_second_user_and_no_second_grant(
    region: Region,
) -> None:
    user_id = await region.user("siti")
    assert await region.user("siti") == user_id
    first, again = [await region.grant(user_id, reference="agency-7.siti") for _ in range(2)]
    assert (first.status_code, first.json()) == (200, again.json())
    db: Mongo = region.stage.door.internal_api.state.life.db
    assert len(await db.find("grants", {})) == len(await db.find("users", {})) == 1
    assert (
        len(
            await db.find(
                "audit", {"action": {"$in": ["users.added", "grants.added", "grants.changed"]}}
            )
        )
        == 2
    )


async def test_a_grant_told_anew_says_what_was_told_last_and_nobody_goes_on_under_what_it_said_before(
    region: Region,
) -> None:
    user_id = await region.user("siti")
    await region.grant(user_id, reference="agency-7.siti", regency=["19.02", "19.06"])
    headers = region.bearer("siti", issued=time.time() - 1)
    assert (await region.stage.ask("GET", "/v1/classes", headers=headers)).status == 200
    await region.grant(user_id, reference="agency-7.siti", regency=["19.02"])

    async def refused() -> bool:
        return (await region.stage.ask("GET", "/v1/classes", headers=headers)).status == 401

    await eventually(refused)
    assert (
        await region.stage.ask("GET", "/v1/classes", headers=region.bearer("siti", jti="t-2"))
    ).status == 200
    caller = InternalTokenVerifier("training", region.stage.keys.directory).caller(
        region.stage.upstream.last.headers["authorization"].removeprefix("Bearer ")
    )
    assert caller.claims == {"regency": frozenset({"19.02"})}
    assert (await region.grant(await region.user("budi"), reference="agency-7.siti")).json()[
        "code"
    ] == "grant_differs"


async def test_who_was_given_what_is_audited_without_the_issuers_name_for_the_person(
    region: Region,
) -> None:
    await region.grant(await region.user("siti-the-secret"))
    db: Mongo = region.stage.door.internal_api.state.life.db
    rows = await db.find("audit", {})
    assert {"users.added", "grants.added"} <= {row["action"] for row in rows}
    assert all(
        row["actor"] == "service:manpower"
        for row in rows
        if row["action"].startswith(("users", "grants"))
    )
    assert "siti-the-secret" not in json.dumps(rows, default=str)


async def test_an_oidc_caller_is_503_while_the_database_is_away(tmp_path: Path) -> None:
    async with staged(tmp_path, rules=DINAS, oidc=OIDC) as stage:
        region = Region(stage)
        told = await stage.ask("GET", "/v1/classes", headers=region.bearer("siti"))
        assert (told.status, told.content["code"]) == (503, "identity_away")
        assert (await stage.ask("GET", "/v1/classes", headers=stage.bearer())).status == 200


# The rules alone


ADMINISTRATOR = Grantor(
    name="u-9",
    roles=ROLES_BY_GRANTOR["administrator"],
    claims={"facility": frozenset({"LP-TJP", "LP-PKP"})},
)


def granted(
    *,
    by: Grantor = MANPOWER_GRANTOR,
    user_id: str = "u-1",
    held: Sequence[Grant] = (),
    officials: Sequence[Grant] = (),
    **more: Any,
) -> Grant:
    told: dict[str, Any] = {
        "role": "employer",
        "claims": {"employer": ["b", "a", "a"]},
        "valid_from": NOW,
        "valid_until": NOW + timedelta(days=1),
    }
    return rules.give(
        GrantTerms(**(told | more)),
        id="g-1",
        user_id=user_id,
        home="LP-TJP",
        grantor=by,
        held_grants=held,
        official_grants=officials,
    )


def test_a_grant_keeps_its_scopes_in_order_and_without_repeats() -> None:
    assert granted().claims == {"employer": ("a", "b")}


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"role": "head"}, RoleNotGivable),
        ({"by": ADMINISTRATOR}, RoleNotGivable),
        ({"claims": {"city": ["x"]}}, ClaimUnknown),
        ({"valid_until": NOW}, PeriodEmpty),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused(
    more: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        granted(**more)


def test_a_grant_is_in_force_from_its_first_moment_until_before_its_last() -> None:
    grant = granted()
    assert rules.choose_acting_grant([grant], "", NOW) is grant
    for moment in (NOW - timedelta(seconds=1), NOW + timedelta(days=1)):
        with pytest.raises(NoGrant):
            rules.choose_acting_grant([grant], "", moment)


def test_a_grant_is_ended_once() -> None:
    ended = rules.end(granted(), now=NOW)
    with pytest.raises(GrantEnded):
        rules.end(ended, now=NOW)
    with pytest.raises(NoGrant):
        rules.choose_acting_grant([ended], "", NOW)


def test_several_grants_need_a_choice_and_a_choice_finds_only_the_callers_own() -> None:
    grants = [granted(), replace(granted(role="dinas_kukm", claims={}), id="g-2")]
    with pytest.raises(GrantChoiceNeeded):
        rules.choose_acting_grant(grants, "", NOW)
    assert rules.choose_acting_grant(grants, "g-2", NOW).role == "dinas_kukm"
    with pytest.raises(NoGrant):
        rules.choose_acting_grant(grants, "g-3", NOW)
