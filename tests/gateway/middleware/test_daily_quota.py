"""Daily quotas of systems: counted by all replicas, set by administrators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from gateway.access.clients.daily_quota import COLLECTION, QuotaCounter, read_calls_today
from gateway.access.clients.rules import CALLS_PER_DAY
from tests.fakes import eventually
from tests.gateway.harness import GatewayResponse
from tests.gateway.installation import InstallationHarness

NOON = datetime(2026, 11, 26, 5, 0, tzinfo=UTC)  # in Jakarta


@dataclass
class Clock:
    """A clock that a test moves, in epoch seconds."""

    now: float = NOON.timestamp()

    def __call__(self) -> float:
        return self.now


async def system_of(
    installation: InstallationHarness, client_id: str = "sistem-dinas"
) -> tuple[str, str]:
    """Register a system with a grant; return its user id and client secret."""
    user_id = (
        await installation.admin(
            "PUT", f"clients/{client_id}", {"home": "LP-TJP", "label": "Sistem"}
        )
    ).content["user_id"]
    secret = (await installation.admin("PUT", f"clients/{client_id}/secrets/1")).content[
        "client_secret"
    ]
    assert (await installation.assigned(user_id, "training_officer")).status == 201
    return user_id, secret


async def token_of(
    installation: InstallationHarness, secret: str, client_id: str = "sistem-dinas"
) -> dict[str, str]:
    """Return the Authorization header with a new token of the system."""
    response = await installation.form(
        "token", grant_type="client_credentials", client_id=client_id, client_secret=secret
    )
    return {"authorization": f"Bearer {response.content['access_token']}"}


async def test_a_system_over_its_daily_quota_is_429_and_others_are_not(
    installation: InstallationHarness,
) -> None:
    user_id, secret = await system_of(installation)
    assert (
        await installation.admin("PUT", "clients/sistem-dinas/quota", {"calls_per_day": 3})
    ).content["calls_per_day"] == 3
    system = await token_of(installation, secret)

    async def call(path: str = "/v1/classes") -> GatewayResponse:
        return await installation.harness.ask("GET", path, headers=system)

    own = await call("/v1/me/quota")
    assert (own.status, own.content["calls_per_day"], own.content["calls_today"]) == (
        200,
        3,
        0,
    )
    answers = [await call() for _ in range(3)]
    assert [one.status for one in answers] == [200, 200, 429]
    assert [one.headers["ratelimit"].partition(";t=")[0] for one in answers] == [
        '"day";r=1',
        '"day";r=0',
        '"day";r=0',
    ]
    assert {one.headers["ratelimit-policy"] for one in answers} == {'"day";q=3;w=86400'}
    assert (answers[2].content["code"], 0 < int(answers[2].headers["retry-after"]) <= 86_400) == (
        "quota_used_up",
        True,
    )
    siti = await (await installation.enrolled()).sign_in()
    response = await siti.ask("GET", "/v1/classes")
    assert (response.status, response.headers["ratelimit"].split(";")[0]) == (200, '"route"')

    async def summed() -> bool:
        return (await installation.admin("GET", "clients/sistem-dinas")).content["calls_today"] == 3

    await eventually(summed)
    assert [
        one["calls_today"] for one in (await installation.admin("GET", "clients")).content["items"]
    ] == [3]
    await installation.admin("PUT", "clients/sistem-dinas/quota", {"calls_per_day": 100})
    more = await token_of(installation, secret)
    assert (await installation.harness.ask("GET", "/v1/me/quota", headers=more)).content[
        "calls_today"
    ] == 3
    assert user_id not in str(answers[2].content)


async def test_a_quota_is_set_by_administrators_of_the_systems_place_and_audited(
    installation: InstallationHarness,
) -> None:
    _, secret = await system_of(installation)
    assert (await installation.admin("GET", "clients/sistem-dinas")).content[
        "calls_per_day"
    ] == CALLS_PER_DAY
    for body in ({"calls_per_day": -1}, {"calls_per_day": "viele"}, {}):
        assert (await installation.admin("PUT", "clients/sistem-dinas/quota", body)).status == 422
    form = {"calls_per_day": 50}
    assert (
        await installation.admin("PUT", "clients/sistem-dinas/quota", form, facility="LP-PKP")
    ).status == 404
    assert (
        await installation.admin("PUT", "clients/sistem-dinas/quota", form, role="head")
    ).status == 403
    assert (
        await installation.harness.ask(
            "PUT",
            "/v1/access/clients/sistem-dinas/quota",
            headers=await token_of(installation, secret),
            json=form,
        )
    ).status == 403
    assert (await installation.admin("PUT", "clients/sistem-dinas/quota", form)).status == 200
    rows = [
        row
        for row in await installation.db.find("audit", {"action": "clients.changed"})
        if "calls_per_day" in row["changed"]
    ]
    assert [(row["actor"], row["values"]["calls_per_day"]) for row in rows] == [
        ("admin", [CALLS_PER_DAY, 50])
    ]


async def test_a_person_has_no_quota(installation: InstallationHarness) -> None:
    siti = await (await installation.enrolled()).sign_in()
    assert (await siti.ask("GET", "/v1/me/quota")).status == 404


async def test_calls_are_summed_over_replicas_until_the_day_ends_in_jakarta(
    installation: InstallationHarness,
) -> None:
    clock = Clock()
    one = QuotaCounter(clock)
    other = QuotaCounter(clock)
    for replica in (one, other, one):
        replica.count_call("u-1", 10)
    for replica in (one, other, one):
        await replica.synchronise(installation.db)
    assert await read_calls_today(["u-1", "u-2"], NOON, installation.db) == {"u-1": 3}
    assert other.count_call("u-1", 10)[0] == 7
    await other.synchronise(installation.db)
    new = QuotaCounter(clock)
    new.count_call("u-1", 10)
    await new.synchronise(installation.db)
    assert new.count_call("u-1", 10) == (5, 12 * 3_600.0)
    clock.now += 12 * 3_600
    assert new.count_call("u-1", 10) == (10, 24 * 3_600.0)
    await new.synchronise(installation.db)
    assert sorted(row["_id"] for row in await installation.db.find(COLLECTION, {})) == [
        "u-1/2026-11-26",
        "u-1/2026-11-27",
    ]


@pytest.mark.parametrize("quota", [0, 1])
def test_what_is_refused_does_not_count(quota: int) -> None:
    calls = QuotaCounter(Clock())
    assert [calls.count_call("u-1", quota)[0] for _ in range(3)] == [quota, *([0] * 2)]
