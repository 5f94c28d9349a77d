"""The gateway's own database on a real MongoDB while Kafka is unavailable."""

from __future__ import annotations

import json
import time
from pathlib import Path

from chassis.http.internal_tokens import InternalTokenVerifier
from chassis.persistence.mongo import Mongo
from tests.fakes import eventually
from tests.gateway.harness import GatewayHarness, running_gateway
from tests.gateway.region import DINAS, OIDC, RegionHarness, known


async def test_the_gateway_is_ready_while_kafka_is_away(region: RegionHarness) -> None:
    async def ready() -> bool:
        return (await region.harness.ask("GET", "/readyz")).status == 200

    await eventually(ready)


async def test_the_gateway_is_not_ready_before_it_has_read_the_revocations(
    region: RegionHarness,
) -> None:
    life = region.harness.gateway.internal_api.state.life
    assert await life.missing() == []
    # The state before the first load, which is repeated.
    life.revocation_cache.is_loaded = False
    assert (
        await region.harness.ask("GET", "/v1/classes", headers=region.harness.bearer())
    ).status == 503
    assert await life.missing() == ["revocations"]


async def test_an_oidc_caller_acts_under_the_grant_not_the_tokens_claims(
    region: RegionHarness,
) -> None:
    user_id = await region.user("siti")
    assert (await region.grant(user_id, regency=["19.02", "19.06"])).status_code == 200
    response = await region.harness.ask("GET", "/v1/classes", headers=region.bearer("siti"))
    assert response.status == 200
    caller = InternalTokenVerifier("training", region.harness.keys.directory).caller(
        region.harness.upstream.last.headers["authorization"].removeprefix("Bearer ")
    )
    assert (caller.subject, caller.role, caller.claims) == (
        user_id,
        "dinas_placement",
        {"regency": frozenset({"19.02", "19.06"})},
    )


async def test_an_oidc_caller_without_a_grant_in_force_is_403(
    region: RegionHarness,
) -> None:
    response = await region.harness.ask("GET", "/v1/classes", headers=region.bearer("budi"))
    assert (response.status, response.content["code"]) == (403, "no_grant")
    user_id = await region.user("budi")
    await region.grant(user_id, days=(-2, -1))
    await region.grant(user_id, days=(1, 2))
    assert (
        await region.harness.ask("GET", "/v1/classes", headers=region.bearer("budi"))
    ).status == 403
    await region.grant(user_id)
    assert (
        await region.harness.ask("GET", "/v1/classes", headers=region.bearer("budi"))
    ).status == 200


async def test_with_two_grants_the_caller_says_which_one(region: RegionHarness) -> None:
    user_id = await region.user("siti")
    first = (await region.grant(user_id)).json()["grant_id"]
    await region.grant(user_id, "employer", employer=["pt-timah"])
    response = await region.harness.ask("GET", "/v1/classes", headers=region.bearer("siti"))
    assert (response.status, response.content["code"]) == (403, "grant_choice_needed")
    assert {one["role"] for one in response.content["grants"]} == {"dinas_placement", "employer"}
    assert (
        await region.harness.ask(
            "GET", "/v1/classes", headers=region.bearer("siti") | {"acting-grant": first}
        )
    ).status == 200
    assert (
        await region.harness.ask(
            "GET", "/v1/classes", headers=region.bearer("siti") | {"acting-grant": "somebody-elses"}
        )
    ).status == 403


async def test_ending_a_grant_ends_the_trust_in_tokens_already_proved(
    region: RegionHarness,
) -> None:
    user_id = await region.user("siti")
    await region.grant(user_id, reference="agency-7.siti")
    headers = region.bearer("siti", issued=time.time() - 1)
    assert (await region.harness.ask("GET", "/v1/classes", headers=headers)).status == 200
    assert (
        await region.internal_request("/internal/grants/somebody-elses", method="DELETE")
    ).status_code == 404
    assert (
        await region.internal_request("/internal/grants/agency-7.siti", method="DELETE")
    ).status_code == 204

    async def refused() -> bool:
        return (await region.harness.ask("GET", "/v1/classes", headers=headers)).status == 401

    await eventually(refused)
    assert (
        await region.internal_request("/internal/grants/agency-7.siti", method="DELETE")
    ).status_code == 204, "reported again, nothing changes"
    assert (await region.grant(user_id, reference="agency-7.siti")).json()["code"] == "grant_ended"


async def test_a_revoked_token_is_refused_by_every_replica_and_after_a_start(
    region: RegionHarness, tmp_path: Path
) -> None:
    await region.grant(await region.user("siti"))
    assert (
        await region.internal_request(
            "/internal/revocations", {"kind": "token", "target": "t-9"}, method="POST"
        )
    ).status_code == 204
    assert (
        await region.internal_request(
            "/internal/revocations", {"kind": "token", "target": "t-9"}, method="POST"
        )
    ).status_code == 204
    url = region.harness.gateway.internal_api.state.service.settings.mongo_url.get_secret_value()
    (tmp_path / "second").mkdir()
    async with running_gateway(
        tmp_path / "second", rules=DINAS, oidc=OIDC, living=True, mongo_url=url
    ) as second:
        await eventually(lambda: known(second), seconds=30)
        second.upstream.answers["/keys"] = region.harness.upstream.answers["/keys"]
        for harness in (region.harness, second):

            async def refused(harness: GatewayHarness = harness) -> bool:
                return (
                    await harness.ask(
                        "GET", "/v1/classes", headers=region.bearer("siti", jti="t-9")
                    )
                ).status == 401

            await eventually(refused)
            assert (
                await harness.ask("GET", "/v1/classes", headers=region.bearer("siti", jti="t-10"))
            ).status == 200


async def test_only_manpower_may_ask_and_only_to_manage_access(region: RegionHarness) -> None:
    body = {"issuer": OIDC, "external": "siti"}
    assert (
        await region.internal_request("/internal/users", body, service="marketplace")
    ).status_code == 403
    assert (
        await region.internal_request("/internal/users", body, purpose="curiosity")
    ).status_code == 403
    for method, path in (
        ("PUT", "/internal/grants/g-1"),
        ("DELETE", "/internal/grants/g-1"),
        ("POST", "/internal/revocations"),
    ):
        assert (
            await region.internal_request(path, {}, method=method, service="training")
        ).status_code == 403


async def test_manpower_gives_no_role_of_a_prison(region: RegionHarness) -> None:
    user_id = await region.user("siti")
    for role in ("administrator", "head", "boss"):
        response = await region.grant(user_id, role)
        assert (response.status_code, response.json()["code"], response.json()["field"]) == (
            422,
            "role_not_givable",
            "role",
        )
    assert (await region.grant("nobody")).status_code == 404
    for role in ("bapas", "kanwil", "dinas_placement", "dinas_training", "dinas_kukm", "employer"):
        assert (await region.grant(user_id, role)).status_code == 200


async def test_an_answer_that_was_lost_makes_no_second_user_and_no_second_grant(
    region: RegionHarness,
) -> None:
    user_id = await region.user("siti")
    assert await region.user("siti") == user_id
    first, again = [await region.grant(user_id, reference="agency-7.siti") for _ in range(2)]
    assert (first.status_code, first.json()) == (200, again.json())
    db: Mongo = region.harness.gateway.internal_api.state.life.db
    assert len(await db.find("grants", {})) == len(await db.find("users", {})) == 1
    assert (
        len(
            await db.find(
                "audit", {"action": {"$in": ["users.added", "grants.added", "grants.changed"]}}
            )
        )
        == 2
    )


async def test_a_grant_put_again_says_what_was_put_last_at_once(
    region: RegionHarness,
) -> None:
    user_id = await region.user("siti")
    await region.grant(user_id, reference="agency-7.siti", regency=["19.02", "19.06"])
    headers = region.bearer("siti", issued=time.time() - 1)
    assert (await region.harness.ask("GET", "/v1/classes", headers=headers)).status == 200
    await region.grant(user_id, reference="agency-7.siti", regency=["19.02"])

    async def refused() -> bool:
        return (await region.harness.ask("GET", "/v1/classes", headers=headers)).status == 401

    await eventually(refused)
    assert (
        await region.harness.ask("GET", "/v1/classes", headers=region.bearer("siti", jti="t-2"))
    ).status == 200
    caller = InternalTokenVerifier("training", region.harness.keys.directory).caller(
        region.harness.upstream.last.headers["authorization"].removeprefix("Bearer ")
    )
    assert caller.claims == {"regency": frozenset({"19.02"})}
    assert (await region.grant(await region.user("budi"), reference="agency-7.siti")).json()[
        "code"
    ] == "grant_differs"


async def test_grants_are_audited_without_the_issuers_name_for_the_person(
    region: RegionHarness,
) -> None:
    await region.grant(await region.user("siti-the-secret"))
    db: Mongo = region.harness.gateway.internal_api.state.life.db
    rows = await db.find("audit", {})
    assert {"users.added", "grants.added"} <= {row["action"] for row in rows}
    assert all(
        row["actor"] == "service:manpower"
        for row in rows
        if row["action"].startswith(("users", "grants"))
    )
    assert "siti-the-secret" not in json.dumps(rows, default=str)


async def test_an_oidc_caller_is_503_while_the_database_is_away(tmp_path: Path) -> None:
    async with running_gateway(tmp_path, rules=DINAS, oidc=OIDC) as harness:
        region = RegionHarness(harness)
        response = await harness.ask("GET", "/v1/classes", headers=region.bearer("siti"))
        assert (response.status, response.content["code"]) == (503, "identity_away")
        assert (await harness.ask("GET", "/v1/classes", headers=harness.bearer())).status == 200
