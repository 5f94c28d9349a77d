"""Our own issuer for small installations: enrolment, second factors without a phone, lock-out, sessions and their refresh, systems, keys that change."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.mongo import Mongo
from gateway import first_administrator
from gateway.attempts.rules import FORGOTTEN, FREE, LONGEST, Attempts, TooManyAttempts, counted
from gateway.clients.assertions import TYPE
from gateway.permissions import RULES
from gateway.routes import Group
from gateway.sessions import rules as sessions
from gateway.sessions.rules import IDLE, LASTS, STOLEN, RefreshRefused
from tests.doubles import Keys, eventually
from tests.gateway.authenticator import RegisteredPC, SecurityKey, encoded
from tests.gateway.stage import Stage, Told, new_key, settings, staged
from tests.gateway.test_access import FILE, Office
from tests.gateway.test_database import known

PASSWORD = "kuda-laut biru 19"
FORM = {"content-type": "application/x-www-form-urlencoded"}
NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


class Installation(Office):
    """An office whose people sign in here."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.origin = f"http://staff.localhost:{stage.port}"

    @property
    def db(self) -> Mongo:
        """The gateway's own database."""
        return self.stage.door.internal.state.life.db

    async def post(self, path: str, body: Any, *, method: str = "POST", headers: dict[str, str] | None = None) -> Told:
        """One request in JSON."""
        return await self.stage.ask(method, path, json=body, headers=headers or {})

    async def form(self, path: str, headers: dict[str, str] | None = None, /, **told: str) -> Told:
        """One request to an OAuth endpoint."""
        return await self.stage.ask("POST", f"/v1/oauth/{path}", data=urlencode(told), headers=FORM | (headers or {}))

    async def enrolled(self, login: str = "siti.r", role: str = "training_officer") -> Person:
        """Somebody with a password, printed codes and a grant."""
        user_id = (await self.admin("PUT", "accounts", {"login": login, "home": "LP-TJP"})).content["user_id"]
        code = (await self.admin("POST", f"users/{user_id}/reset")).content["code"]
        told = await self.post("/v1/enrolment", {"login": login, "code": code, "password": PASSWORD})
        assert told.status == 201, told.body
        assert (await self.assigned(user_id, role)).status == 201
        return Person(self, login, user_id, told.content["codes"], told.content["familiar"])


@dataclass
class Person:
    """Somebody who signs in."""

    at: Installation
    login: str
    user_id: str
    codes: list[str]
    familiar: str
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(40))
    access: str = ""
    refresh: str = ""

    async def begin(self, password: str = PASSWORD, familiar: str = "") -> Told:
        """The password."""
        challenge = encoded(hashlib.sha256(self.verifier.encode()).digest())
        return await self.at.post("/v1/sign-in", {"login": self.login, "password": password, "code_challenge": challenge, "familiar": familiar})

    async def prove(self, begun: Told, **how: Any) -> Told:
        """The second factor."""
        [(kind, body)] = how.items()
        return await self.at.post(f"/v1/sign-in/{begun.content['sign_in']}/{kind}", body)

    async def redeem(self, code: str, verifier: str = "") -> Told:
        """The tokens for an authorization code."""
        return await self.at.form("token", grant_type="authorization_code", code=code, code_verifier=verifier or self.verifier)

    async def sign_in(self, **how: Any) -> Person:
        """All of it; by a printed code unless told."""
        begun = await self.begin()
        told = await self.prove(begun, **(how or {"code": {"code": self.codes.pop()}}))
        tokens = (await self.redeem(told.content["code"])).content
        self.access, self.refresh = tokens["access_token"], tokens["refresh_token"]
        return self

    async def ask(self, method: str, path: str, body: Any = None, token: str = "") -> Told:
        """One request with the access token."""
        return await self.at.post(path, body, method=method, headers={"authorization": f"Bearer {token or self.access}"})

    async def refreshed(self, token: str = "", **headers: str) -> Told:
        """The answer to a refresh token."""
        return await self.at.form("token", headers, grant_type="refresh_token", refresh_token=token or self.refresh)


@pytest.fixture
async def place(tmp_path: Path, mongo_url: str, database: str) -> AsyncGenerator[Installation]:
    """Such an installation."""
    url = Keys.make(tmp_path).settings("gateway", mongo_url=mongo_url, database=database, kafka="")["mongo_url"]
    async with staged(tmp_path, FILE.read_text(), RULES, living=True, mongo_url=url, issuer_key=new_key()) as stage:
        await eventually(lambda: known(stage), seconds=30)
        yield Installation(stage)


def same(one: Told, other: Told) -> bool:
    """Whether two refusals cannot be told apart."""
    return (one.status, one.content | {"request_id": ""}) == (other.status, other.content | {"request_id": ""})


async def refused(person: Person, token: str = "") -> bool:
    """Whether the access token is worth nothing."""
    return (await person.ask("GET", "/v1/classes", token=token)).status == 401


# Enrolment and sign-in


async def test_somebody_enrols_with_a_printed_code_and_signs_in_with_password_and_another(place: Installation) -> None:
    siti = await place.enrolled()
    assert len(siti.codes) == 10
    begun = await siti.begin()
    assert (begun.status, begun.content["factors"], begun.content["passkey"]) == (201, ["code"], None)
    passed = await siti.prove(begun, code={"code": siti.codes[0].lower().replace("-", " ")})
    told = await siti.redeem(passed.content["code"])
    assert (told.status, told.headers["cache-control"], told.content["token_type"], told.content["expires_in"]) == (200, "no-store", "Bearer", 300)
    assert (await siti.ask("GET", "/v1/classes", token=told.content["access_token"])).status == 200
    content = jwt.decode(told.content["access_token"], options={"verify_signature": False})
    assert (content["sub"], content["amr"], content["iss"]) == (siti.user_id, ["pwd", "otp", "mfa"], place.origin)
    assert jwt.get_unverified_header(told.content["access_token"])["typ"] == "at+jwt"


async def test_a_printed_code_a_sign_in_and_an_authorization_code_are_good_once(place: Installation) -> None:
    siti = await place.enrolled()
    begun = await siti.begin()
    passed = await siti.prove(begun, code={"code": siti.codes[0]})
    assert (await siti.prove(begun, code={"code": siti.codes[1]})).status == 401, "the sign-in has passed"
    assert (await siti.prove(await siti.begin(), code={"code": siti.codes[0]})).status == 401, "the printed code is spent"
    wrong = await siti.redeem(passed.content["code"], verifier="x" * 43)
    assert (wrong.status, wrong.content["error"]) == (400, "invalid_grant")
    first = await siti.redeem(passed.content["code"])
    assert first.status == 200
    again = await siti.redeem(passed.content["code"])
    assert (again.status, again.content["error"]) == (400, "invalid_grant")
    await eventually(lambda: refused(siti, first.content["access_token"]))


async def test_wrong_password_unknown_login_and_disabled_account_are_one_answer_after_the_same_work(place: Installation) -> None:
    siti, budi = await place.enrolled(), await place.enrolled("budi.s")
    await place.admin("POST", f"users/{budi.user_id}/disable")
    nobody = Person(place, "nobody", "", [], "")
    took: list[float] = []
    answers: list[Told] = []
    for person, password in ((siti, "wrong"), (nobody, PASSWORD), (budi, PASSWORD)):
        began = time.perf_counter()
        answers.append(await person.begin(password))
        took.append(time.perf_counter() - began)
    assert all(same(answers[0], one) for one in answers)
    assert answers[0].status == 401
    assert min(took) > 0.02, "an argon2 was computed for each"


async def test_an_enrolment_code_is_good_once_and_its_refusals_are_one(place: Installation) -> None:
    user_id = (await place.admin("PUT", "accounts", {"login": "siti.r", "home": "LP-TJP"})).content["user_id"]
    form = {"login": "siti.r", "password": PASSWORD}
    before = await place.post("/v1/enrolment", form | {"code": "AAAA-BBBB-CCCC"})
    old = (await place.admin("POST", f"users/{user_id}/reset")).content["code"]
    code = (await place.admin("POST", f"users/{user_id}/reset")).content["code"]
    replaced = await place.post("/v1/enrolment", form | {"code": old})
    unknown = await place.post("/v1/enrolment", form | {"code": code, "login": "nobody"})
    weak = await place.post("/v1/enrolment", form | {"code": code, "password": "siti.r 12345"})
    assert (weak.status, weak.content["code"]) == (422, "password_weak")
    assert (await place.post("/v1/enrolment", form | {"code": code})).status == 201
    spent = await place.post("/v1/enrolment", form | {"code": code})
    assert all(same(before, one) for one in (replaced, unknown, spent))


async def test_a_security_key_proves_a_sign_in_and_a_copy_of_it_does_not(place: Installation) -> None:
    siti = await (await place.enrolled()).sign_in()
    key = SecurityKey(place.origin)
    options = (await siti.ask("POST", "/v1/me/passkeys/options", {"password": PASSWORD})).content
    told = await siti.ask("POST", "/v1/me/passkeys", {"label": "kunci biru", "credential": key.make(options)})
    assert (told.status, [one["label"] for one in told.content["passkeys"]]) == (201, ["kunci biru"])
    begun = await siti.begin()
    assert begun.content["factors"] == ["passkey", "code"]
    passed = await siti.prove(begun, passkey={"credential": key.prove(begun.content["passkey"])})
    assert passed.status == 200
    content = jwt.decode((await siti.redeem(passed.content["code"])).content["access_token"], options={"verify_signature": False})
    assert content["amr"] == ["pwd", "hwk", "mfa"]
    key.count = 0
    behind = await siti.begin()
    assert (await siti.prove(behind, passkey={"credential": key.prove(behind.content["passkey"])})).status == 401, "its counter fell behind: a copy"


async def test_a_security_key_answers_only_its_own_challenge_and_site(place: Installation) -> None:
    siti = await (await place.enrolled()).sign_in()
    key, phished = SecurityKey(place.origin), SecurityKey("https://staff.example.evil")
    options = (await siti.ask("POST", "/v1/me/passkeys/options", {"password": PASSWORD})).content
    assert (await siti.ask("POST", "/v1/me/passkeys", {"label": "a", "credential": phished.make(options)})).content["code"] == "passkey_refused"
    await siti.ask("POST", "/v1/me/passkeys", {"label": "a", "credential": key.make(options)})
    assert (await siti.ask("POST", "/v1/me/passkeys", {"label": "b", "credential": key.make(options)})).status == 404, "the ceremony is over"
    begun, other = await siti.begin(), await siti.begin()
    assert (await siti.prove(begun, passkey={"credential": key.prove(other.content["passkey"])})).status == 401
    key.origin = phished.origin
    assert (await siti.prove(begun, passkey={"credential": key.prove(begun.content["passkey"])})).status == 401
    assert (await siti.prove(begun, passkey={"credential": phished.prove(begun.content["passkey"])})).status == 401


async def test_a_registered_pc_and_its_pin_prove_a_sign_in_and_neither_does_alone(place: Installation) -> None:
    siti, pc = await (await place.enrolled()).sign_in(), RegisteredPC()
    form = {"password": PASSWORD, "label": "PC Giatja", "public_key": pc.jwk, "pin": "482915"}
    assert (await siti.ask("POST", "/v1/me/devices", form | {"password": "wrong"})).content["code"] == "password_differs"
    assert (await siti.ask("POST", "/v1/me/devices", form | {"public_key": pc.jwk | {"crv": "P-384"}})).content["code"] == "device_key_refused"
    device = (await siti.ask("POST", "/v1/me/devices", form)).content["id"]
    begun = await siti.begin()
    right = {"device": device, "signature": pc.sign(begun.content["challenge"]), "pin": "482915"}
    for wrong in ({"pin": "000000"}, {"signature": RegisteredPC().sign(begun.content["challenge"])}):
        assert (await siti.prove(begun, device=right | wrong)).status == 401
    passed = await siti.prove(begun, device=right)
    content = jwt.decode((await siti.redeem(passed.content["code"])).content["access_token"], options={"verify_signature": False})
    assert content["amr"] == ["pwd", "pin", "mfa"]
    assert (await siti.ask("DELETE", f"/v1/me/factors/{device}")).status == 204
    begun = await siti.begin()
    assert (await siti.prove(begun, device=right | {"signature": pc.sign(begun.content["challenge"])})).status == 401


async def test_a_sign_in_bears_three_wrong_second_factors_and_then_not_even_a_right_one(place: Installation) -> None:
    siti = await place.enrolled()
    begun = await siti.begin()
    for _ in range(3):
        assert (await siti.prove(begun, code={"code": "AAAA-BBBB-CCCC"})).status == 401
    assert (await siti.prove(begun, code={"code": siti.codes[0]})).status == 401
    assert (await siti.prove(await siti.begin(), code={"code": siti.codes[0]})).status == 200


# Lock-out


async def test_guessing_is_slowed_alike_for_known_and_unknown_logins_and_keeps_nobody_out_of_their_own_pc(place: Installation) -> None:
    siti, nobody = await place.enrolled(), Person(place, "nobody", "", [], "")
    for person in (siti, nobody):
        answers = [await person.begin("wrong") for _ in range(FREE + 1)]
        assert [one.status for one in answers] == [401] * FREE + [429]
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert answers[-1].content["code"] == "too_many_attempts"
    await place.db.update("attempts", {}, {"$set": {"next_at": datetime.now(UTC) + LONGEST}}, many=True)
    assert (await siti.begin()).status == 429, "a stranger's place waits, even with the right password"
    assert (await siti.begin(familiar=siti.familiar)).status == 201, "her own PC does not"
    assert (await siti.begin(familiar="guessed")).status == 429


async def test_many_guesses_at_once_are_no_way_around(place: Installation) -> None:
    siti = await place.enrolled()
    answers = await asyncio.gather(*(siti.begin("wrong") for _ in range(FREE * 3)))
    assert sum(one.status == 401 for one in answers) <= FREE


def test_the_wait_doubles_up_to_a_quarter_of_an_hour_and_is_forgotten_after_a_day() -> None:
    known: Attempts | None = None
    now, waits = NOW, list[float]()
    for _ in range(30):
        known = counted(known, id="d", now=now)
        waits.append((known.next_at - now).total_seconds())
        with pytest.raises(TooManyAttempts) if known.next_at > now else pytest.raises(AssertionError):
            assert counted(known, id="d", now=now) is None
        now = known.next_at
    assert waits[: FREE + 3] == [0] * (FREE - 1) + [5, 10, 20, 40]
    assert max(waits) == waits[-1] == LONGEST.total_seconds()
    assert counted(known, id="d", now=now + FORGOTTEN).failures == 1


# Sessions


async def test_a_refresh_token_changes_with_each_use_and_one_used_twice_ends_the_session_for_both(place: Installation) -> None:
    siti = await (await place.enrolled()).sign_in()
    second = (await siti.refreshed()).content
    assert second["refresh_token"] != siti.refresh
    assert (await siti.ask("GET", "/v1/classes", token=second["access_token"])).status == 200
    stolen = await siti.refreshed()
    assert (stolen.status, stolen.content["error"]) == (400, "invalid_grant")
    assert (await siti.refreshed(second["refresh_token"])).content["error"] == "invalid_grant"
    await eventually(lambda: refused(siti, second["access_token"]))
    rows = [row for row in await place.db.find("audit", {"action": "sessions.changed"}) if "ended_why" in row["changed"]]
    assert [row["values"]["ended_why"][1] for row in rows] == [STOLEN]


async def test_a_refresh_whose_answer_was_lost_is_given_again_under_its_idempotency_key(place: Installation) -> None:
    siti = await (await place.enrolled()).sign_in()
    first = await siti.refreshed(**{"idempotency-key": "k-1"})
    again = await siti.refreshed(**{"idempotency-key": "k-1"})
    assert (again.status, again.content["refresh_token"]) == (200, first.content["refresh_token"])
    assert (await siti.refreshed(first.content["refresh_token"])).status == 200
    assert (await siti.refreshed(**{"idempotency-key": "k-1"})).status == 400, "it is no longer the last one"


async def test_made_up_refresh_tokens_end_nothing(place: Installation) -> None:
    siti = await (await place.enrolled()).sign_in()
    session = siti.refresh.partition(".")[0]
    for token in ("", "x", f"{session}.", f"{session}.guessed", "nothing.at-all"):
        told = await place.form("token", grant_type="refresh_token", refresh_token=token)
        assert (told.status, told.content["error"]) == (400, "invalid_grant" if token else "invalid_request")
    assert (await siti.refreshed()).status == 200


@pytest.mark.parametrize("by", ["access", "refresh"])
async def test_signing_out_ends_the_session_and_only_that_one(place: Installation, by: str) -> None:
    siti = await (await place.enrolled()).sign_in()
    access, refresh = siti.access, siti.refresh
    await siti.sign_in()
    assert (await place.form("revoke", token=access if by == "access" else refresh)).status == 200
    assert (await place.form("revoke", token="made-up")).status == 200
    await eventually(lambda: refused(siti, access))
    assert (await siti.refreshed(refresh)).status == 400
    assert (await siti.ask("GET", "/v1/classes")).status == 200


async def test_sign_out_everywhere_by_oneself_and_by_an_administrator(place: Installation) -> None:
    siti = await (await place.enrolled()).sign_in()
    first = siti.access
    await siti.sign_in()
    assert len((await siti.ask("GET", "/v1/me/sessions")).content["items"]) == 2
    assert (await siti.ask("POST", "/v1/me/sign-out")).status == 204
    for token in (first, siti.access):
        await eventually(lambda token=token: refused(siti, token))
    await siti.sign_in()
    assert len((await place.admin("GET", f"users/{siti.user_id}/sessions")).content["items"]) == 1
    assert (await place.admin("GET", f"users/{siti.user_id}/sessions", facility="LP-PKP")).status == 404
    assert (await place.admin("POST", f"users/{siti.user_id}/sign-out")).status == 204
    await eventually(lambda: refused(siti))
    assert (await siti.refreshed()).status == 400


async def test_another_password_ends_every_session_and_a_reset_also_every_factor(place: Installation) -> None:
    siti = await (await place.enrolled()).sign_in()
    form = {"password": PASSWORD, "label": "PC", "public_key": RegisteredPC().jwk, "pin": "482915"}
    assert (await siti.ask("POST", "/v1/me/devices", form)).status == 201
    body = {"password": PASSWORD, "new": "siti.r siti.r siti.r"}
    assert (await siti.ask("PUT", "/v1/me/password", body)).content["code"] == "password_weak"
    assert (await siti.ask("PUT", "/v1/me/password", body | {"new": "gajah kuning 77"})).status == 204
    await eventually(lambda: refused(siti))
    assert (await siti.begin()).status == 401
    assert (await siti.begin("gajah kuning 77")).status == 201
    assert (await place.admin("POST", f"users/{siti.user_id}/reset", facility="LP-PKP")).status == 404
    code = (await place.admin("POST", f"users/{siti.user_id}/reset")).content["code"]
    assert (await siti.begin("gajah kuning 77")).status == 401
    await place.post("/v1/enrolment", {"login": "siti.r", "code": code, "password": "badak hijau 31"})
    assert (await siti.begin("badak hijau 31")).content["factors"] == ["code"], "her PC is no longer registered"


async def test_new_printed_codes_replace_the_old(place: Installation) -> None:
    siti = await (await place.enrolled()).sign_in()
    fresh = (await siti.ask("PUT", "/v1/me/codes", {"password": PASSWORD})).content["codes"]
    assert (await siti.prove(await siti.begin(), code={"code": siti.codes[0]})).status == 401
    assert (await siti.prove(await siti.begin(), code={"code": fresh[0]})).status == 200


async def test_nothing_that_could_let_somebody_in_is_kept_readable_or_audited(place: Installation) -> None:
    siti = await (await place.enrolled()).sign_in()
    stored = json.dumps([await place.db.find(name, {}) for name in ("accounts", "signins", "sessions", "attempts", "audit")], default=str)
    for secret in (PASSWORD, *siti.codes, siti.familiar, siti.refresh.partition(".")[2], siti.access):
        assert secret not in stored
    assert "siti.r" not in json.dumps(await place.db.find("audit", {}), default=str)


def test_a_session_ends_by_itself_after_two_idle_hours_and_after_twelve() -> None:
    begun = sessions.start(id="s", user_id="u", home="", amr=("pwd",), refresh="a", now=NOW)
    for moment in (NOW + IDLE, NOW + LASTS):
        with pytest.raises(RefreshRefused):
            sessions.refresh(begun, presented="a", following="b", repeat="", now=moment)
    late = begun
    for hour in range(1, 12):
        late = sessions.refresh(late, presented=late.refresh, following=f"r{hour}", repeat="", now=NOW + timedelta(hours=hour))
    with pytest.raises(RefreshRefused):
        sessions.refresh(late, presented=late.refresh, following="z", repeat="", now=NOW + LASTS)


# Endpoints as the standards want them


async def test_the_token_endpoint_speaks_rfc_6749(place: Installation) -> None:
    for told, error, status in (
        ({}, "invalid_request", 400),
        ({"grant_type": "password"}, "unsupported_grant_type", 400),
        ({"grant_type": "authorization_code", "code": "a.b"}, "invalid_request", 400),
        ({"grant_type": "authorization_code", "code": "a.b", "code_verifier": "x"}, "invalid_grant", 400),
        ({"grant_type": "client_credentials", "client_id": "nobody", "client_secret": "x"}, "invalid_client", 401),
    ):
        answer = await place.form("token", None, **told)
        assert (answer.status, answer.content["error"], answer.headers["cache-control"], answer.headers["content-type"]) == (status, error, "no-store", "application/json")
    twice = await place.stage.ask("POST", "/v1/oauth/token", data="grant_type=refresh_token&grant_type=password", headers=FORM)
    assert twice.content["error"] == "invalid_request"


async def test_the_discovery_document_leads_to_the_keys_and_endpoints(place: Installation) -> None:
    for path in ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"):
        document = (await place.stage.ask("GET", path)).content
        assert document["issuer"] == place.origin
        assert document["token_endpoint"] == f"{place.origin}/v1/oauth/token"
    siti = await (await place.enrolled()).sign_in()
    keys = jwt.PyJWKSet.from_dict((await place.stage.ask("GET", "/.well-known/jwks.json")).content)
    key = keys[jwt.get_unverified_header(siti.access)["kid"]]
    assert jwt.decode(siti.access, key, algorithms=["EdDSA"], audience="bina", issuer=place.origin)["sub"] == siti.user_id
    assert (await place.stage.ask("GET", "/.well-known/openid-configuration", group=Group.CERTIFICATE)).status == 404


async def test_only_an_access_token_of_ours_is_one_and_every_other_is_401_with_one_body(place: Installation) -> None:
    siti = await (await place.enrolled()).sign_in()
    header, content, signature = siti.access.split(".")
    told = jwt.decode(siti.access, options={"verify_signature": False})
    kid = jwt.get_unverified_header(siti.access)["kid"]
    stranger = Ed25519PrivateKey.generate()
    holders = told | {"iss": "https://sertifikat.example", "aud": "sertifikat"}
    bad = [
        siti.refresh,
        f"{header}.{content}.{signature[:-4]}AAAA",
        jwt.encode(told, stranger, algorithm="EdDSA", headers={"kid": kid, "typ": "at+jwt"}),
        jwt.encode(holders, stranger, algorithm="EdDSA", headers={"kid": kid, "typ": "at+jwt"}),
        f"{encoded(json.dumps({'alg': 'none', 'kid': kid}).encode())}.{content}.",
    ]
    refusals = [await siti.ask("GET", "/v1/classes", token=one) for one in (*bad, "x")]
    assert all(same(refusals[-1], one) for one in refusals)
    assert refusals[0].status == 401
    assert (await siti.ask("GET", "/v1/classes")).status == 200


async def test_without_a_key_there_is_no_own_issuer(tmp_path: Path, mongo_url: str, database: str) -> None:
    url = Keys.make(tmp_path).settings("gateway", mongo_url=mongo_url, database=database, kafka="")["mongo_url"]
    async with staged(tmp_path, FILE.read_text(), RULES, living=True, mongo_url=url) as stage:
        await eventually(lambda: known(stage), seconds=30)
        assert (await stage.ask("POST", "/v1/oauth/token", data="grant_type=password", headers=FORM)).status == 404
        assert (await stage.ask("GET", "/.well-known/openid-configuration")).status == 404


def test_the_issuer_is_named_after_the_staff_host_and_by_https_in_production(tmp_path: Path) -> None:
    hosts = {f"{group}_hosts": (f"{group}.example",) for group in Group}
    base: dict[str, Any] = {"environment": "production", "development_key": "", "issuer_key": new_key(), **hosts}

    def told(**more: Any) -> str:
        return settings(Keys.make(tmp_path), "", "https://service.example", 7080, FILE, **(base | more)).issuer_origin

    assert told() == "https://staff.example"
    assert told(issuer="https://masuk.example/") == "https://masuk.example"
    with pytest.raises(ValueError, match="GATEWAY_ISSUER: an https origin is needed"):
        told(issuer="http://masuk.example")
    assert told(environment="development") == "http://staff.example:7080"


# Systems


async def system(place: Installation, client_id: str = "dinas-satu") -> str:
    """A registered system with a grant; its user id."""
    user_id = (await place.admin("PUT", f"clients/{client_id}", {"home": "LP-TJP", "label": "Sistem Giatja"})).content["user_id"]
    await place.assigned(user_id, "training_officer")
    return user_id


async def test_a_system_proves_itself_by_either_of_two_secrets_while_they_change(place: Installation) -> None:
    user_id = await system(place)
    assert await system(place) == user_id, "a lost answer makes no second one"
    old = (await place.admin("PUT", "clients/dinas-satu/secrets/1")).content["client_secret"]
    new = (await place.admin("PUT", "clients/dinas-satu/secrets/2")).content["client_secret"]

    async def told(secret: str) -> Told:
        return await place.form("token", grant_type="client_credentials", client_id="dinas-satu", client_secret=secret)

    assert [(await told(secret)).status for secret in (old, new, "wrong")] == [200, 200, 401]
    await place.admin("DELETE", "clients/dinas-satu/slots/1")
    assert [(await told(secret)).status for secret in (old, new)] == [401, 200]
    stored = json.dumps(await place.db.find("clients", {}), default=str)
    assert new not in stored
    assert (await place.admin("GET", "clients/dinas-satu")).content["secrets"] == ["2"]
    assert (await place.admin("GET", "clients/dinas-satu", facility="LP-PKP")).status == 404
    await place.admin("POST", "clients/dinas-satu/disable")
    assert (await told(new)).status == 401


async def test_a_system_proves_itself_by_a_key_of_its_own_and_each_assertion_once(place: Installation) -> None:
    await system(place)
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    x = encoded(key.public_key().public_bytes_raw())
    assert (await place.admin("PUT", "clients/dinas-satu/keys/1", {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": x, "d": x}})).content["code"] == "key_refused"
    await place.admin("PUT", "clients/dinas-satu/keys/1", {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": x}})

    def assertion(signer: Any = key, algorithm: str = "EdDSA", **more: Any) -> str:
        now = int(time.time())
        content = {"iss": "dinas-satu", "sub": "dinas-satu", "aud": f"{place.origin}/v1/oauth/token", "exp": now + 60, "jti": secrets.token_hex(8)}
        return jwt.encode({name: value for name, value in (content | more).items() if value is not None}, signer, algorithm=algorithm)

    async def told(one: str, **more: str) -> Told:
        return await place.form("token", grant_type="client_credentials", client_assertion_type=TYPE, client_assertion=one, **more)

    good = assertion()
    answer = await told(good)
    assert answer.status == 200
    headers = {"authorization": f"Bearer {answer.content['access_token']}"}
    assert (await place.stage.ask("GET", "/v1/classes", headers=headers)).status == 200
    bad = [
        good,
        assertion(other),
        assertion(aud="https://elsewhere.example"),
        assertion(exp=int(time.time()) - 1),
        assertion(exp=int(time.time()) + 3600),
        assertion(jti=None),
        assertion(iss="somebody"),
        assertion(sub="somebody"),
        assertion("s" * 32, "HS256"),
        "not.an.assertion",
    ]
    for number, one in enumerate(bad):
        refusal = await told(one)
        assert (refusal.status, refusal.content["error"]) == (401, "invalid_client"), number
    assert (await told(assertion(), client_secret="x")).content["error"] == "invalid_request"
    assert (await place.form("revoke", token=answer.content["access_token"])).status == 200

    async def gone() -> bool:
        return (await place.stage.ask("GET", "/v1/classes", headers=headers)).status == 401

    await eventually(gone)


async def test_manpowers_systems_prove_themselves_by_what_it_tells_and_nothing_else(place: Installation) -> None:
    secret = secrets.token_urlsafe(32)
    body = {"secrets": {"1": hashlib.sha256(secret.encode()).hexdigest()}}
    first, again = [await place.told("/internal/clients/agency-7", body) for _ in range(2)]
    assert (first.status_code, first.json()) == (200, again.json())
    assert (await place.told("/internal/clients/agency-7", body, service="training")).status_code == 403
    await place.grant(first.json()["user_id"])
    told = await place.form("token", grant_type="client_credentials", client_id="agency-7", client_secret=secret)
    assert told.status == 200
    headers = {"authorization": f"Bearer {told.content['access_token']}"}
    assert (await place.stage.ask("GET", "/v1/candidates", headers=headers, group=Group.PARTNER)).status == 200
    await place.told("/internal/clients/agency-7", {})
    assert (await place.form("token", grant_type="client_credentials", client_id="agency-7", client_secret=secret)).status == 401


# The first administrator


async def test_the_first_administrator_begins_with_a_code_from_the_machine_and_nobody_else_does(place: Installation) -> None:
    told = place.stage.door.internal.state.service.settings
    lost = await first_administrator.main(told, "admin.satu", "LP-TJP")
    code = await first_administrator.main(told, "admin.satu", "LP-TJP")
    form = {"login": "admin.satu", "code": code, "password": PASSWORD}
    assert (await place.post("/v1/enrolment", form | {"code": lost})).status == 401
    enrolled = await place.post("/v1/enrolment", form)
    admin = await Person(place, "admin.satu", "", enrolled.content["codes"], "").sign_in()
    assert (await admin.ask("PUT", "/v1/access/accounts", {"login": "budi.s", "home": "LP-PKP"})).status == 200
    assert len(await place.db.find("grants", {})) == 1
    with pytest.raises(first_administrator.AdministratorElsewhere):
        await first_administrator.main(told, "admin.dua", "LP-TJP")


# Keys that change


async def test_the_issuers_key_changes_replica_by_replica_and_no_token_is_refused_meanwhile(tmp_path: Path, mongo_url: str, database: str) -> None:
    old, new = new_key(), new_key()
    url = Keys.make(tmp_path).settings("gateway", mongo_url=mongo_url, database=database, kafka="")["mongo_url"]
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
    told: dict[str, Any] = {"living": True, "mongo_url": url, "issuer": "http://staff.localhost"}
    async with (
        staged(tmp_path / "before", FILE.read_text(), RULES, issuer_key=old, issuer_next_key=new, **told) as first,
        staged(tmp_path / "after", FILE.read_text(), RULES, issuer_key=new, issuer_previous_key=old, **told) as second,
    ):
        for stage in (first, second):
            await eventually(lambda stage=stage: known(stage), seconds=30)
        siti = await (await Installation(first).enrolled()).sign_in()
        signed = {jwt.get_unverified_header(siti.access)["kid"]}
        tokens = [siti.access]
        siti.at = Installation(second)
        told_again = (await siti.refreshed()).content
        tokens.append(told_again["access_token"])
        signed.add(jwt.get_unverified_header(tokens[1])["kid"])
        assert len(signed) == 2
        for stage in (first, second):
            published = {key["kid"] for key in (await stage.ask("GET", "/.well-known/jwks.json")).content["keys"]}
            assert published >= signed
            for token in tokens:
                assert (await stage.ask("GET", "/v1/classes", headers={"authorization": f"Bearer {token}"})).status == 200
