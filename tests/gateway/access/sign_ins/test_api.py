"""Enrolment, sign-in, second factors and delays of guesses."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import jwt
import pytest

from gateway.access.login_throttling.rules import (
    FREE_ATTEMPTS,
    MAX_WAIT,
    RETENTION,
    LoginAttempts,
    TooManyAttempts,
    count_attempt,
)
from tests.fakes import eventually
from tests.gateway.authenticator import RegisteredPC, SecurityKey
from tests.gateway.harness import GatewayResponse
from tests.gateway.installation import NOW, PASSWORD, InstallationHarness, Person, refused, same


async def test_a_user_enrols_with_one_printed_code_and_signs_in_with_another(
    installation: InstallationHarness,
) -> None:
    siti = await installation.enrolled()
    assert len(siti.codes) == 10
    begun = await siti.begin()
    assert (begun.status, begun.content["factors"], begun.content["passkey"]) == (
        201,
        ["code"],
        None,
    )
    passed = await siti.prove(begun, code={"code": siti.codes[0].lower().replace("-", " ")})
    response = await siti.redeem(passed.content["code"])
    assert (
        response.status,
        response.headers["cache-control"],
        response.content["token_type"],
        response.content["expires_in"],
    ) == (200, "no-store", "Bearer", 300)
    assert (
        await siti.ask("GET", "/v1/classes", token=response.content["access_token"])
    ).status == 200
    content = jwt.decode(response.content["access_token"], options={"verify_signature": False})
    assert (content["sub"], content["amr"], content["iss"]) == (
        siti.user_id,
        ["pwd", "otp", "mfa"],
        installation.origin,
    )
    assert jwt.get_unverified_header(response.content["access_token"])["typ"] == "at+jwt"


async def test_a_printed_code_a_sign_in_and_an_authorization_code_are_good_once(
    installation: InstallationHarness,
) -> None:
    siti = await installation.enrolled()
    begun = await siti.begin()
    passed = await siti.prove(begun, code={"code": siti.codes[0]})
    assert (await siti.prove(begun, code={"code": siti.codes[1]})).status == 401, (
        "the sign-in has passed"
    )
    assert (await siti.prove(await siti.begin(), code={"code": siti.codes[0]})).status == 401, (
        "the printed code is spent"
    )
    wrong = await siti.redeem(passed.content["code"], verifier="x" * 43)
    assert (wrong.status, wrong.content["error"]) == (400, "invalid_grant")
    first = await siti.redeem(passed.content["code"])
    assert first.status == 200
    again = await siti.redeem(passed.content["code"])
    assert (again.status, again.content["error"]) == (400, "invalid_grant")
    await eventually(lambda: refused(siti, first.content["access_token"]))


async def test_every_failed_sign_in_has_one_response_after_the_same_work(
    installation: InstallationHarness,
) -> None:
    siti = await installation.enrolled()
    budi = await installation.enrolled("budi.s")
    await installation.admin("POST", f"users/{budi.user_id}/disable")
    nobody = Person(installation, "nobody", "", [], "")
    took: list[float] = []
    answers: list[GatewayResponse] = []
    for person, password in ((siti, "wrong"), (nobody, PASSWORD), (budi, PASSWORD)):
        began = time.perf_counter()
        answers.append(await person.begin(password))
        took.append(time.perf_counter() - began)
    assert all(same(answers[0], one) for one in answers)
    assert answers[0].status == 401
    assert min(took) > 0.02, "an argon2 was computed for each"


async def test_an_enrolment_code_is_good_once_and_its_refusals_are_one(
    installation: InstallationHarness,
) -> None:
    user_id = (
        await installation.admin("PUT", "accounts", {"login": "siti.r", "home": "LP-TJP"})
    ).content["user_id"]
    form = {"login": "siti.r", "password": PASSWORD}
    before = await installation.post("/v1/enrolment", form | {"code": "AAAA-BBBB-CCCC"})
    old = (await installation.admin("POST", f"users/{user_id}/reset")).content["code"]
    code = (await installation.admin("POST", f"users/{user_id}/reset")).content["code"]
    replaced = await installation.post("/v1/enrolment", form | {"code": old})
    unknown = await installation.post("/v1/enrolment", form | {"code": code, "login": "nobody"})
    weak = await installation.post(
        "/v1/enrolment", form | {"code": code, "password": "siti.r 12345"}
    )
    assert (weak.status, weak.content["code"]) == (422, "password_weak")
    assert (await installation.post("/v1/enrolment", form | {"code": code})).status == 201
    spent = await installation.post("/v1/enrolment", form | {"code": code})
    assert all(same(before, one) for one in (replaced, unknown, spent))


async def test_a_security_key_proves_a_sign_in_and_a_copy_of_it_does_not(
    installation: InstallationHarness,
) -> None:
    siti = await (await installation.enrolled()).sign_in()
    key = SecurityKey(installation.origin)
    options = (await siti.ask("POST", "/v1/me/passkeys/options", {"password": PASSWORD})).content
    response = await siti.ask(
        "POST", "/v1/me/passkeys", {"label": "kunci biru", "credential": key.make(options)}
    )
    assert (response.status, [one["label"] for one in response.content["passkeys"]]) == (
        201,
        ["kunci biru"],
    )
    begun = await siti.begin()
    assert begun.content["factors"] == ["passkey", "code"]
    passed = await siti.prove(begun, passkey={"credential": key.prove(begun.content["passkey"])})
    assert passed.status == 200
    content = jwt.decode(
        (await siti.redeem(passed.content["code"])).content["access_token"],
        options={"verify_signature": False},
    )
    assert content["amr"] == ["pwd", "hwk", "mfa"]
    key.count = 0
    behind = await siti.begin()
    assert (
        await siti.prove(behind, passkey={"credential": key.prove(behind.content["passkey"])})
    ).status == 401, "its counter fell behind: a copy"


async def test_a_security_key_answers_only_its_own_challenge_and_site(
    installation: InstallationHarness,
) -> None:
    siti = await (await installation.enrolled()).sign_in()
    key = SecurityKey(installation.origin)
    phished = SecurityKey("https://staff.example.evil")
    options = (await siti.ask("POST", "/v1/me/passkeys/options", {"password": PASSWORD})).content
    assert (
        await siti.ask(
            "POST", "/v1/me/passkeys", {"label": "a", "credential": phished.make(options)}
        )
    ).content["code"] == "passkey_refused"
    await siti.ask("POST", "/v1/me/passkeys", {"label": "a", "credential": key.make(options)})
    assert (
        await siti.ask("POST", "/v1/me/passkeys", {"label": "b", "credential": key.make(options)})
    ).status == 404, "the ceremony is over"
    begun = await siti.begin()
    other = await siti.begin()
    assert (
        await siti.prove(begun, passkey={"credential": key.prove(other.content["passkey"])})
    ).status == 401
    key.origin = phished.origin
    assert (
        await siti.prove(begun, passkey={"credential": key.prove(begun.content["passkey"])})
    ).status == 401
    assert (
        await siti.prove(begun, passkey={"credential": phished.prove(begun.content["passkey"])})
    ).status == 401


async def test_a_registered_pc_proves_a_sign_in_only_with_its_pin(
    installation: InstallationHarness,
) -> None:
    siti = await (await installation.enrolled()).sign_in()
    pc = RegisteredPC()
    form = {"password": PASSWORD, "label": "PC Giatja", "public_key": pc.jwk, "pin": "482915"}
    assert (await siti.ask("POST", "/v1/me/devices", form | {"password": "wrong"})).content[
        "code"
    ] == "password_differs"
    assert (
        await siti.ask("POST", "/v1/me/devices", form | {"public_key": pc.jwk | {"crv": "P-384"}})
    ).content["code"] == "device_key_refused"
    device = (await siti.ask("POST", "/v1/me/devices", form)).content["id"]
    begun = await siti.begin()
    right = {"device": device, "signature": pc.sign(begun.content["challenge"]), "pin": "482915"}
    for wrong in (
        {"pin": "000000"},
        {"signature": RegisteredPC().sign(begun.content["challenge"])},
    ):
        assert (await siti.prove(begun, device=right | wrong)).status == 401
    passed = await siti.prove(begun, device=right)
    content = jwt.decode(
        (await siti.redeem(passed.content["code"])).content["access_token"],
        options={"verify_signature": False},
    )
    assert content["amr"] == ["pwd", "pin", "mfa"]
    assert (await siti.ask("DELETE", f"/v1/me/factors/{device}")).status == 204
    begun = await siti.begin()
    assert (
        await siti.prove(begun, device=right | {"signature": pc.sign(begun.content["challenge"])})
    ).status == 401


async def test_a_sign_in_ends_after_three_wrong_second_factors(
    installation: InstallationHarness,
) -> None:
    siti = await installation.enrolled()
    begun = await siti.begin()
    for _ in range(3):
        assert (await siti.prove(begun, code={"code": "AAAA-BBBB-CCCC"})).status == 401
    assert (await siti.prove(begun, code={"code": siti.codes[0]})).status == 401
    assert (await siti.prove(await siti.begin(), code={"code": siti.codes[0]})).status == 200


async def test_guessing_is_delayed_for_any_login_but_not_at_a_known_pc(
    installation: InstallationHarness,
) -> None:
    siti = await installation.enrolled()
    nobody = Person(installation, "nobody", "", [], "")
    for person in (siti, nobody):
        answers = [await person.begin("wrong") for _ in range(FREE_ATTEMPTS + 1)]
        assert [one.status for one in answers] == [401] * FREE_ATTEMPTS + [429]
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert answers[-1].content["code"] == "too_many_attempts"
    await installation.db.update(
        "attempts", {}, {"$set": {"next_at": datetime.now(UTC) + MAX_WAIT}}, many=True
    )
    assert (await siti.begin()).status == 429, (
        "a stranger's place waits, even with the right password"
    )
    assert (await siti.begin(familiar=siti.familiar)).status == 201, "her own PC does not"
    assert (await siti.begin(familiar="guessed")).status == 429


async def test_many_guesses_at_once_are_no_way_around(installation: InstallationHarness) -> None:
    siti = await installation.enrolled()
    answers = await asyncio.gather(*(siti.begin("wrong") for _ in range(FREE_ATTEMPTS * 3)))
    assert sum(one.status == 401 for one in answers) <= FREE_ATTEMPTS


def test_the_delay_doubles_to_15_minutes_and_is_forgotten_after_a_day() -> None:
    known: LoginAttempts | None = None
    now = NOW
    waits = list[float]()
    for _ in range(30):
        known = count_attempt(known, id="d", now=now)
        waits.append((known.next_at - now).total_seconds())
        with (
            pytest.raises(TooManyAttempts) if known.next_at > now else pytest.raises(AssertionError)
        ):
            assert count_attempt(known, id="d", now=now) is None
        now = known.next_at
    assert waits[: FREE_ATTEMPTS + 3] == [0] * (FREE_ATTEMPTS - 1) + [5, 10, 20, 40]
    assert max(waits) == waits[-1] == MAX_WAIT.total_seconds()
    assert count_attempt(known, id="d", now=now + RETENTION).failures == 1
