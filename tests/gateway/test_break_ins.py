"""Attacks on the sign-in: half-finished sign-ins, races, copies, strange input, timing."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import Counter
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.caller import system
from chassis.ids import new_id
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext
from gateway.access.accounts.rules import SignInRefused
from gateway.access.jwk import public_jwk
from gateway.access.login_throttling.rules import FREE_ATTEMPTS
from gateway.access.sign_ins import rules as signins
from gateway.access.sign_ins import usecases
from tests.gateway.authenticator import SecurityKey
from tests.gateway.commands import Commands
from tests.gateway.harness import GatewayResponse
from tests.gateway.installation import NOW, PASSWORD, InstallationHarness, Person


def statuses(answers: list[GatewayResponse]) -> Counter[int]:
    """Count the responses by status."""
    return Counter(one.status for one in answers)


# Half-finished sign-ins


async def test_a_sign_in_under_way_ends_with_reset_sign_out_or_new_password(
    installation: InstallationHarness,
) -> None:
    siti = await (await installation.enrolled()).sign_in()

    async def half_way() -> tuple[GatewayResponse, GatewayResponse]:
        begun = await siti.begin()
        other = await siti.begin()
        return begun, await siti.prove(other, code={"code": siti.codes.pop()})

    begun, passed = await half_way()
    assert (await installation.admin("POST", f"users/{siti.user_id}/sign-out")).status == 204
    assert (await siti.redeem(passed.content["code"])).status == 400
    assert (await siti.prove(begun, code={"code": siti.codes[0]})).status == 401
    await siti.sign_in()
    begun, passed = await half_way()
    assert (
        await siti.ask("PUT", "/v1/me/password", {"password": PASSWORD, "new": "gajah kuning 77"})
    ).status == 204
    assert (await siti.redeem(passed.content["code"])).status == 400
    assert (await siti.prove(begun, code={"code": siti.codes[0]})).status == 401


async def test_a_password_that_changes_while_it_is_judged_begins_nothing(
    installation: InstallationHarness,
) -> None:
    siti = await installation.enrolled()
    [account] = await installation.db.find("accounts", {"_id": siti.user_id})
    fresh = signins.begin(
        id="s-1",
        user_id=siti.user_id,
        home="LP-TJP",
        attempts_id="d",
        challenge="c",
        code_challenge="x",
        now=NOW,
    )
    engine: TransactionManager[Any] = installation.harness.gateway.internal_api.state.engine
    context = OperationContext(caller=system("gateway"), correlation_id=new_id())
    runner = Runner(engine, context)

    async def begun(judged: str) -> str:
        return (await runner(partial(usecases.begin, fresh, judged))).id

    with pytest.raises(SignInRefused):
        await begun("the hash of the password before")
    assert await begun(account["password"]) == "s-1"


async def test_a_sign_in_is_no_token_and_its_code_no_session(
    installation: InstallationHarness,
) -> None:
    siti = await installation.enrolled()
    begun = await siti.begin()
    sign_in = begun.content["sign_in"]
    for token in (sign_in, begun.content["challenge"], f"{sign_in}."):
        assert (await siti.ask("GET", "/v1/me/sessions", token=token)).status == 401
        assert (await siti.redeem(token)).status == 400
        assert (await siti.refreshed(token)).status == 400
    assert (await siti.ask("GET", "/v1/me/factors")).status == 401


# Races


async def test_of_many_who_show_one_printed_code_at_once_one_comes_in(
    installation: InstallationHarness,
) -> None:
    siti = await installation.enrolled()
    begun = [await siti.begin() for _ in range(FREE_ATTEMPTS - 1)]
    answers = await asyncio.gather(
        *(siti.prove(one, code={"code": siti.codes[0]}) for one in begun)
    )
    assert statuses(answers) == {200: 1, 401: FREE_ATTEMPTS - 2}


async def test_of_many_who_redeem_one_code_at_once_no_two_keep_a_session(
    installation: InstallationHarness,
) -> None:
    siti = await installation.enrolled()
    passed = await siti.prove(await siti.begin(), code={"code": siti.codes[0]})
    answers = await asyncio.gather(*(siti.redeem(passed.content["code"]) for _ in range(4)))
    assert statuses(answers)[200] <= 1
    assert [row["ended_at"] is not None for row in await installation.db.find("sessions", {})] == [
        True
    ], "a code that came twice was stolen"


async def test_of_many_who_refresh_with_one_token_at_once_none_goes_on(
    installation: InstallationHarness,
) -> None:
    siti = await (await installation.enrolled()).sign_in()
    answers = await asyncio.gather(*(siti.refreshed() for _ in range(4)))
    assert statuses(answers)[200] <= 1
    fresh = next(
        (one.content["refresh_token"] for one in answers if one.status == 200), siti.refresh
    )
    assert (await siti.refreshed(fresh)).status == 400


async def test_of_many_who_repeat_one_refresh_at_once_all_get_the_same_token(
    installation: InstallationHarness,
) -> None:
    siti = await (await installation.enrolled()).sign_in()
    answers = await asyncio.gather(
        *(siti.refreshed(**{"idempotency-key": "k-1"}) for _ in range(4))
    )
    assert statuses(answers) == {200: 4}
    assert len({one.content["refresh_token"] for one in answers}) == 1


async def test_second_factors_guessed_at_once_are_no_more_than_three(
    installation: InstallationHarness,
) -> None:
    siti = await installation.enrolled()
    begun = await siti.begin()
    answers = await asyncio.gather(
        *(siti.prove(begun, code={"code": "AAAA-BBBB-CCCC"}) for _ in range(10))
    )
    assert set(statuses(answers)) <= {401, 503}
    [row] = await installation.db.find("signins", {})
    assert row["tries"] == 3


# Copies


async def test_a_passkeys_answer_is_good_once(installation: InstallationHarness) -> None:
    siti = await (await installation.enrolled()).sign_in()
    key = SecurityKey(installation.origin)
    options = (await siti.ask("POST", "/v1/me/passkeys/options", {"password": PASSWORD})).content
    await siti.ask("POST", "/v1/me/passkeys", {"label": "a", "credential": key.make(options)})
    begun = await siti.begin()
    answer = {"credential": key.prove(begun.content["passkey"])}
    assert [(await siti.prove(begun, passkey=answer)).status for _ in range(2)] == [200, 401]
    assert (await siti.prove(await siti.begin(), passkey=answer)).status == 401


STRANGE: list[Any] = [
    None,
    "",
    0,
    [],
    {},
    "AAAA",
    "é",
    "\ud800",
    "A" * 5_000,
    base64.urlsafe_b64encode(b"[" * 5_000).decode(),
    base64.urlsafe_b64encode(b"\x9b\xff" * 20).decode(),
]


async def test_a_credential_of_strange_members_is_refused_and_no_defect(
    installation: InstallationHarness,
) -> None:
    siti = await (await installation.enrolled()).sign_in()
    key = SecurityKey(installation.origin)
    options = (await siti.ask("POST", "/v1/me/passkeys/options", {"password": PASSWORD})).content
    made = key.make(options)
    for strange in STRANGE:
        for path in (
            ("id",),
            ("rawId",),
            ("type",),
            ("response",),
            ("response", "clientDataJSON"),
            ("response", "attestationObject"),
        ):
            response = await siti.ask(
                "POST",
                "/v1/me/passkeys",
                {"label": "a", "credential": changed(made, path, strange)},
            )
            assert response.status in {400, 422}, (path, strange, response.body)
    assert (
        await siti.ask("POST", "/v1/me/passkeys", {"label": "a", "credential": made})
    ).status == 201
    for strange in STRANGE:
        for path in (
            ("id",),
            ("rawId",),
            ("response",),
            ("response", "clientDataJSON"),
            ("response", "authenticatorData"),
            ("response", "signature"),
        ):
            begun = await siti.begin()
            response = await siti.prove(
                begun,
                passkey={"credential": changed(key.prove(begun.content["passkey"]), path, strange)},
            )
            assert response.status in {400, 401, 422}, (path, strange, response.body)
            await installation.db.update(
                "attempts", {}, {"$set": {"failures": 0, "next_at": NOW}}, many=True
            )


async def asserted(
    installation: InstallationHarness, key: Ed25519PrivateKey, content: str
) -> GatewayResponse:
    """Request a token with a signed assertion of exactly this content."""
    signed = ".".join(
        base64.urlsafe_b64encode(part).decode().rstrip("=")
        for part in (b'{"alg": "EdDSA"}', content.encode())
    )
    assertion = (
        f"{signed}.{base64.urlsafe_b64encode(key.sign(signed.encode())).decode().rstrip('=')}"
    )
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return await installation.form(
        "token",
        grant_type="client_credentials",
        client_assertion_type=kind,
        client_assertion=assertion,
    )


def changed(credential: Any, path: tuple[str, ...], value: Any) -> Any:
    """Return a copy of the credential with this value at this path."""
    copy = json.loads(json.dumps(credential))
    inner = copy
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return copy


async def test_keys_and_assertions_of_strange_members_are_refused_and_no_defect(
    installation: InstallationHarness,
) -> None:
    siti = await (await installation.enrolled()).sign_in()
    await installation.admin("PUT", "clients/sistem", {"home": "LP-TJP", "label": "Sistem"})
    good = {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}
    for strange in STRANGE:
        for name in good:
            device = {
                "password": PASSWORD,
                "label": "PC",
                "public_key": good | {name: strange},
                "pin": "482915",
            }
            assert (await siti.ask("POST", "/v1/me/devices", device)).status in {400, 422}, (
                name,
                strange,
            )
        for kind in (
            good,
            {"kty": "RSA", "n": "A" * 400, "e": "AQAB"},
            {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43},
        ):
            for name in kind:
                response = await installation.admin(
                    "PUT", "clients/sistem/keys/1", {"jwk": kind | {name: strange}}
                )
                assert response.status in {400, 422}, (kind, name, strange)
    nested = base64.urlsafe_b64encode(b"[" * 5_000).decode().rstrip("=")
    for token in (f"{nested}.e30.AA", f"e30.{nested}.AA", "..", "e30.e30.AA"):
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        assert (
            await installation.form(
                "token",
                grant_type="client_credentials",
                client_assertion_type=kind,
                client_assertion=token,
            )
        ).status == 401
        assert (await installation.form("revoke", token=token)).status == 200


async def test_what_a_system_says_of_its_own_time_is_refused_and_no_defect(
    installation: InstallationHarness,
) -> None:
    key = Ed25519PrivateKey.generate()
    now = int(time.time())
    await installation.admin("PUT", "clients/sistem", {"home": "LP-TJP", "label": "Sistem"})
    assert (
        await installation.admin(
            "PUT", "clients/sistem/keys/1", {"jwk": public_jwk(key.public_key())}
        )
    ).status == 200
    good = {
        "iss": "sistem",
        "sub": "sistem",
        "aud": installation.origin,
        "exp": now + 60,
        "jti": "j-1",
    }
    for more in (
        '"nbf": 1e400',
        '"nbf": NaN',
        '"nbf": "x"',
        '"exp": 1e400',
        '"exp": NaN',
        f'"exp": 1{"0" * 400}',
        f'"exp": {now + 400}',
        f'"exp": {now - 1}',
        '"exp": true',
    ):
        response = await asserted(installation, key, json.dumps(good)[:-1] + f", {more}}}")
        assert (response.status, response.content.get("error")) == (401, "invalid_client"), (
            more,
            response.content,
        )
    assert (await asserted(installation, key, json.dumps(good))).status == 200
    assert (await asserted(installation, key, json.dumps(good))).status == 401, (
        "an assertion is good once"
    )


async def test_a_login_of_strange_letters_is_unknown_and_no_defect(
    installation: InstallationHarness,
) -> None:
    siti = await installation.enrolled()
    for login in (
        "SITI.R",
        "siti.r\u0000",
        "ѕiti.r",
        "ｓiti.r",
        "siti.r\u200b",
        "\ud800",
        "$ne",
        "siti.r\u0301",
    ):
        response = await installation.post(
            "/v1/sign-in", {"login": login, "password": PASSWORD, "code_challenge": "x" * 43}
        )
        assert response.status in {401, 422}, (login, response.body)
        response = await installation.post(
            "/v1/enrolment", {"login": login, "code": "AAAA-BBBB-CCCC", "password": PASSWORD}
        )
        assert response.status in {401, 422}, (login, response.body)
    assert (await siti.begin()).status == 201


# Time


async def test_a_delayed_guess_runs_the_same_queries_for_any_login(
    installation: InstallationHarness, commands: Commands
) -> None:
    siti = await installation.enrolled()
    nobody = Person(installation, "nobody", "", [], "")
    asked: list[list[tuple[str, str]]] = []
    for person in (siti, nobody):
        for _ in range(FREE_ATTEMPTS):
            await person.begin("wrong")
        commands.seen.clear()
        assert (await person.begin("wrong")).status == 429
        asked.append(
            [
                command
                for command in commands.seen
                if command[1] in {"users", "accounts", "attempts"}
            ]
        )
    assert asked[0] == asked[1]
    assert asked[0], "it was asked at all"
