"""Sessions: refresh, sign-out, reset, end."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import jwt
import pytest

from gateway.access.identity import Identity
from gateway.access.sessions import rules as sessions
from gateway.access.sessions.rules import (
    IDLE_TIMEOUT,
    LIFETIME,
    MAX_SPENT,
    REFRESH_TOKEN_REUSED,
    RefreshRefused,
)
from tests.fakes import eventually
from tests.gateway.authenticator import RegisteredPC
from tests.gateway.installation import NOW, PASSWORD, InstallationHarness, refused


async def test_a_refresh_token_used_twice_ends_the_session(
    installation: InstallationHarness,
) -> None:
    siti = await (await installation.enrolled()).sign_in()
    second = (await siti.refreshed()).content
    assert second["refresh_token"] != siti.refresh
    assert (await siti.ask("GET", "/v1/classes", token=second["access_token"])).status == 200
    stolen = await siti.refreshed()
    assert (stolen.status, stolen.content["error"]) == (400, "invalid_grant")
    assert (await siti.refreshed(second["refresh_token"])).content["error"] == "invalid_grant"
    await eventually(lambda: refused(siti, second["access_token"]))
    rows = [
        row
        for row in await installation.db.find("audit", {"action": "sessions.changed"})
        if "ended_why" in row["changed"]
    ]
    assert [row["values"]["ended_why"][1] for row in rows] == [REFRESH_TOKEN_REUSED]


async def test_a_lost_refresh_response_is_repeated_under_its_idempotency_key(
    installation: InstallationHarness,
) -> None:
    siti = await (await installation.enrolled()).sign_in()
    first = await siti.refreshed(**{"idempotency-key": "k-1"})
    again = await siti.refreshed(**{"idempotency-key": "k-1"})
    assert (again.status, again.content["refresh_token"]) == (200, first.content["refresh_token"])
    assert (await siti.refreshed(first.content["refresh_token"])).status == 200
    assert (await siti.refreshed(**{"idempotency-key": "k-1"})).status == 400, (
        "it is no longer the last one"
    )


async def test_made_up_refresh_tokens_end_nothing(installation: InstallationHarness) -> None:
    siti = await (await installation.enrolled()).sign_in()
    session = siti.refresh.partition(".")[0]
    for token in ("", "x", f"{session}.", f"{session}.guessed", "nothing.at-all"):
        response = await installation.form("token", grant_type="refresh_token", refresh_token=token)
        assert (response.status, response.content["error"]) == (
            400,
            "invalid_grant" if token else "invalid_request",
        )
    assert (await siti.refreshed()).status == 200


@pytest.mark.parametrize("by", ["access", "refresh"])
async def test_signing_out_ends_the_session_and_only_that_one(
    installation: InstallationHarness, by: str
) -> None:
    siti = await (await installation.enrolled()).sign_in()
    access = siti.access
    refresh = siti.refresh
    await siti.sign_in()
    assert (
        await installation.form("revoke", token=access if by == "access" else refresh)
    ).status == 200
    assert (await installation.form("revoke", token="made-up")).status == 200
    await eventually(lambda: refused(siti, access))
    assert (await siti.refreshed(refresh)).status == 400
    assert (await siti.ask("GET", "/v1/classes")).status == 200


async def test_sign_out_everywhere_by_oneself_and_by_an_administrator(
    installation: InstallationHarness,
) -> None:
    siti = await (await installation.enrolled()).sign_in()
    first = siti.access
    await siti.sign_in()
    assert len((await siti.ask("GET", "/v1/me/sessions")).content["items"]) == 2
    assert (await siti.ask("POST", "/v1/me/sign-out")).status == 204
    for token in (first, siti.access):
        await eventually(lambda token=token: refused(siti, token))
    await siti.sign_in()
    assert (
        len((await installation.admin("GET", f"users/{siti.user_id}/sessions")).content["items"])
        == 1
    )
    assert (
        await installation.admin("GET", f"users/{siti.user_id}/sessions", facility="LP-PKP")
    ).status == 404
    assert (await installation.admin("POST", f"users/{siti.user_id}/sign-out")).status == 204
    await eventually(lambda: refused(siti))
    assert (await siti.refreshed()).status == 400


async def test_signing_out_everywhere_covers_tokens_of_a_clock_that_is_ahead(
    installation: InstallationHarness,
) -> None:
    siti = await (await installation.enrolled()).sign_in()
    sid = jwt.decode(siti.access, options={"verify_signature": False})["sid"]
    assert (await installation.admin("POST", f"users/{siti.user_id}/sign-out")).status == 204
    await eventually(lambda: refused(siti))
    assert installation.harness.withdrawn.covers(
        Identity(
            subject=siti.user_id, role="training_officer", session_id=sid, issued_at=time.time() + 3
        )
    )


async def test_a_new_password_ends_every_session_and_a_reset_every_factor(
    installation: InstallationHarness,
) -> None:
    siti = await (await installation.enrolled()).sign_in()
    form = {"password": PASSWORD, "label": "PC", "public_key": RegisteredPC().jwk, "pin": "482915"}
    assert (await siti.ask("POST", "/v1/me/devices", form)).status == 201
    body = {"password": PASSWORD, "new": "siti.r siti.r siti.r"}
    assert (await siti.ask("PUT", "/v1/me/password", body)).content["code"] == "password_weak"
    assert (
        await siti.ask("PUT", "/v1/me/password", body | {"new": "gajah kuning 77"})
    ).status == 204
    await eventually(lambda: refused(siti))
    assert (await siti.begin()).status == 401
    assert (await siti.begin("gajah kuning 77")).status == 201
    assert (
        await installation.admin("POST", f"users/{siti.user_id}/reset", facility="LP-PKP")
    ).status == 404
    code = (await installation.admin("POST", f"users/{siti.user_id}/reset")).content["code"]
    assert (await siti.begin("gajah kuning 77")).status == 401
    await installation.post(
        "/v1/enrolment", {"login": "siti.r", "code": code, "password": "badak hijau 31"}
    )
    assert (await siti.begin("badak hijau 31")).content["factors"] == ["code"], (
        "her PC is no longer registered"
    )


async def test_new_printed_codes_replace_the_old(installation: InstallationHarness) -> None:
    siti = await (await installation.enrolled()).sign_in()
    fresh = (await siti.ask("PUT", "/v1/me/codes", {"password": PASSWORD})).content["codes"]
    assert (await siti.prove(await siti.begin(), code={"code": siti.codes[0]})).status == 401
    assert (await siti.prove(await siti.begin(), code={"code": fresh[0]})).status == 200


async def test_nothing_that_could_let_somebody_in_is_kept_readable_or_audited(
    installation: InstallationHarness,
) -> None:
    siti = await (await installation.enrolled()).sign_in()
    stored = json.dumps(
        [
            await installation.db.find(name, {})
            for name in ("accounts", "signins", "sessions", "attempts", "audit")
        ],
        default=str,
    )
    for secret in (
        PASSWORD,
        *siti.codes,
        siti.familiar,
        siti.refresh.partition(".")[2],
        siti.access,
    ):
        assert secret not in stored
    assert "siti.r" not in json.dumps(await installation.db.find("audit", {}), default=str)


def test_a_session_ends_by_itself_after_two_idle_hours_and_after_twelve() -> None:
    begun = sessions.start(id="s", user_id="u", home="", amr=("pwd",), refresh="a", now=NOW)
    for moment in (NOW + IDLE_TIMEOUT, NOW + LIFETIME):
        with pytest.raises(RefreshRefused):
            sessions.refresh(begun, presented="a", next_refresh="b", repeat="", now=moment)
    late = begun
    for hour in range(1, 12):
        late = sessions.refresh(
            late,
            presented=late.refresh,
            next_refresh=f"r{hour}",
            repeat="",
            now=NOW + timedelta(hours=hour),
        )
    with pytest.raises(RefreshRefused):
        sessions.refresh(
            late, presented=late.refresh, next_refresh="z", repeat="", now=NOW + LIFETIME
        )


def test_a_session_remembers_no_more_spent_tokens_than_a_day_of_work_makes() -> None:
    session = sessions.start(id="s", user_id="u", home="", amr=("pwd",), refresh="r0", now=NOW)
    for number in range(MAX_SPENT + 10):
        session = sessions.refresh(
            session,
            presented=session.refresh,
            next_refresh=f"r{number + 1}",
            repeat="",
            now=NOW + timedelta(seconds=number),
        )
    assert len(session.spent) == MAX_SPENT
