"""The built-in issuer for other programs: endpoints, systems, keys, first administrator."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway import first_administrator
from gateway.access.clients.assertions import ASSERTION_TYPE
from gateway.access.permissions import ROLE_PERMISSIONS
from gateway.host_group import Group
from tests.fakes import Keys, eventually
from tests.gateway.authenticator import encoded
from tests.gateway.harness import GatewayResponse, new_key, settings, staged
from tests.gateway.installation import FORM, PASSWORD, Installation, Person, same
from tests.gateway.region import FILE, known

# Endpoints as the standards want them


async def test_the_token_endpoint_speaks_rfc_6749(place: Installation) -> None:
    for response, error, status in (
        ({}, "invalid_request", 400),
        ({"grant_type": "password"}, "unsupported_grant_type", 400),
        ({"grant_type": "authorization_code", "code": "a.b"}, "invalid_request", 400),
        (
            {"grant_type": "authorization_code", "code": "a.b", "code_verifier": "x"},
            "invalid_grant",
            400,
        ),
        (
            {"grant_type": "client_credentials", "client_id": "nobody", "client_secret": "x"},
            "invalid_client",
            401,
        ),
    ):
        answer = await place.form("token", None, **response)
        assert (
            answer.status,
            answer.content["error"],
            answer.headers["cache-control"],
            answer.headers["content-type"],
        ) == (status, error, "no-store", "application/json")
    twice = await place.stage.ask(
        "POST", "/v1/oauth/token", data="grant_type=refresh_token&grant_type=password", headers=FORM
    )
    assert twice.content["error"] == "invalid_request"


async def test_the_discovery_document_leads_to_the_keys_and_endpoints(place: Installation) -> None:
    for path in ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"):
        document = (await place.stage.ask("GET", path)).content
        assert document["issuer"] == place.origin
        assert document["token_endpoint"] == f"{place.origin}/v1/oauth/token"
    siti = await (await place.enrolled()).sign_in()
    keys = jwt.PyJWKSet.from_dict((await place.stage.ask("GET", "/.well-known/jwks.json")).content)
    key = keys[jwt.get_unverified_header(siti.access)["kid"]]
    assert (
        jwt.decode(siti.access, key, algorithms=["EdDSA"], audience="bina", issuer=place.origin)[
            "sub"
        ]
        == siti.user_id
    )
    assert (
        await place.stage.ask("GET", "/.well-known/openid-configuration", group=Group.CERTIFICATE)
    ).status == 404


async def test_every_token_but_our_access_token_is_401_with_one_body(
    place: Installation,
) -> None:
    siti = await (await place.enrolled()).sign_in()
    header, content, signature = siti.access.split(".")
    response = jwt.decode(siti.access, options={"verify_signature": False})
    kid = jwt.get_unverified_header(siti.access)["kid"]
    stranger = Ed25519PrivateKey.generate()
    holders = response | {"iss": "https://sertifikat.example", "aud": "sertifikat"}
    bad = [
        siti.refresh,
        f"{header}.{content}.{signature[:-4]}AAAA",
        jwt.encode(response, stranger, algorithm="EdDSA", headers={"kid": kid, "typ": "at+jwt"}),
        jwt.encode(holders, stranger, algorithm="EdDSA", headers={"kid": kid, "typ": "at+jwt"}),
        f"{encoded(json.dumps({'alg': 'none', 'kid': kid}).encode())}.{content}.",
    ]
    refusals = [await siti.ask("GET", "/v1/classes", token=one) for one in (*bad, "x")]
    assert all(same(refusals[-1], one) for one in refusals)
    assert refusals[0].status == 401
    assert (await siti.ask("GET", "/v1/classes")).status == 200


async def test_without_a_key_there_is_no_own_issuer(
    tmp_path: Path, mongo_url: str, database: str
) -> None:
    url = Keys.make(tmp_path).settings("gateway", mongo_url=mongo_url, database=database, kafka="")[
        "mongo_url"
    ]
    async with staged(
        tmp_path, FILE.read_text(), ROLE_PERMISSIONS, living=True, mongo_url=url
    ) as stage:
        await eventually(lambda: known(stage), seconds=30)
        assert (
            await stage.ask("POST", "/v1/oauth/token", data="grant_type=password", headers=FORM)
        ).status == 404
        assert (await stage.ask("GET", "/.well-known/openid-configuration")).status == 404


def test_the_issuer_is_named_after_the_staff_host_https_in_production(
    tmp_path: Path,
) -> None:
    hosts = {f"{group}_hosts": (f"{group}.example",) for group in Group}
    base: dict[str, Any] = {
        "environment": "production",
        "development_key": "",
        "issuer_key": new_key(),
        **hosts,
    }

    def issuer_name(**more: Any) -> str:
        return settings(
            Keys.make(tmp_path), "", "https://service.example", 7080, FILE, **(base | more)
        ).issuer_origin

    assert issuer_name() == "https://staff.example"
    assert issuer_name(issuer="https://masuk.example/") == "https://masuk.example"
    with pytest.raises(ValueError, match="GATEWAY_ISSUER: an https origin is needed"):
        issuer_name(issuer="http://masuk.example")
    assert issuer_name(environment="development") == "http://staff.example:7080"


# Systems


async def system(place: Installation, client_id: str = "dinas-satu") -> str:
    """Register a system with a grant and return its user id."""
    user_id = (
        await place.admin(
            "PUT", f"clients/{client_id}", {"home": "LP-TJP", "label": "Sistem Giatja"}
        )
    ).content["user_id"]
    await place.assigned(user_id, "training_officer")
    return user_id


async def test_a_system_proves_itself_by_either_of_two_secrets_while_they_change(
    place: Installation,
) -> None:
    user_id = await system(place)
    assert await system(place) == user_id, "a lost answer makes no second one"
    old = (await place.admin("PUT", "clients/dinas-satu/secrets/1")).content["client_secret"]
    new = (await place.admin("PUT", "clients/dinas-satu/secrets/2")).content["client_secret"]

    async def request_token(secret: str) -> GatewayResponse:
        return await place.form(
            "token", grant_type="client_credentials", client_id="dinas-satu", client_secret=secret
        )

    assert [(await request_token(secret)).status for secret in (old, new, "wrong")] == [
        200,
        200,
        401,
    ]
    await place.admin("DELETE", "clients/dinas-satu/slots/1")
    assert [(await request_token(secret)).status for secret in (old, new)] == [401, 200]
    stored = json.dumps(await place.db.find("clients", {}), default=str)
    assert new not in stored
    assert (await place.admin("GET", "clients/dinas-satu")).content["secrets"] == ["2"]
    assert (await place.admin("GET", "clients/dinas-satu", facility="LP-PKP")).status == 404
    await place.admin("POST", "clients/dinas-satu/disable")
    assert (await request_token(new)).status == 401


async def test_a_system_authenticates_by_its_key_with_each_assertion_once(
    place: Installation,
) -> None:
    await system(place)
    key = Ed25519PrivateKey.generate()
    other = Ed25519PrivateKey.generate()
    x = encoded(key.public_key().public_bytes_raw())
    assert (
        await place.admin(
            "PUT",
            "clients/dinas-satu/keys/1",
            {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": x, "d": x}},
        )
    ).content["code"] == "key_refused"
    await place.admin(
        "PUT", "clients/dinas-satu/keys/1", {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": x}}
    )

    def assertion(signer: Any = key, algorithm: str = "EdDSA", **more: Any) -> str:
        now = int(time.time())
        content = {
            "iss": "dinas-satu",
            "sub": "dinas-satu",
            "aud": f"{place.origin}/v1/oauth/token",
            "exp": now + 60,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(
            {name: value for name, value in (content | more).items() if value is not None},
            signer,
            algorithm=algorithm,
        )

    async def request_token(one: str, **more: str) -> GatewayResponse:
        return await place.form(
            "token",
            grant_type="client_credentials",
            client_assertion_type=ASSERTION_TYPE,
            client_assertion=one,
            **more,
        )

    good = assertion()
    answer = await request_token(good)
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
        refusal = await request_token(one)
        assert (refusal.status, refusal.content["error"]) == (401, "invalid_client"), number
    assert (await request_token(assertion(), client_secret="x")).content[
        "error"
    ] == "invalid_request"
    assert (await place.form("revoke", token=answer.content["access_token"])).status == 200

    async def gone() -> bool:
        return (await place.stage.ask("GET", "/v1/classes", headers=headers)).status == 401

    await eventually(gone)


async def test_manpowers_systems_authenticate_only_by_what_it_registered(
    place: Installation,
) -> None:
    secret = secrets.token_urlsafe(32)
    body = {"secrets": {"1": hashlib.sha256(secret.encode()).hexdigest()}}
    first, again = [
        await place.internal_request("/internal/clients/agency-7", body) for _ in range(2)
    ]
    assert (first.status_code, first.json()) == (200, again.json())
    assert (
        await place.internal_request("/internal/clients/agency-7", body, service="training")
    ).status_code == 403
    await place.grant(first.json()["user_id"])
    response = await place.form(
        "token", grant_type="client_credentials", client_id="agency-7", client_secret=secret
    )
    assert response.status == 200
    headers = {"authorization": f"Bearer {response.content['access_token']}"}
    assert (
        await place.stage.ask("GET", "/v1/candidates", headers=headers, group=Group.PARTNER)
    ).status == 200
    await place.internal_request("/internal/clients/agency-7", {})
    assert (
        await place.form(
            "token", grant_type="client_credentials", client_id="agency-7", client_secret=secret
        )
    ).status == 401


# The first administrator


async def test_only_the_first_administrator_starts_with_a_code_of_the_machine(
    place: Installation,
) -> None:
    response = place.stage.gateway.internal_api.state.service.settings
    lost = await first_administrator.main(response, "admin.satu", "LP-TJP")
    code = await first_administrator.main(response, "admin.satu", "LP-TJP")
    form = {"login": "admin.satu", "code": code, "password": PASSWORD}
    assert (await place.post("/v1/enrolment", form | {"code": lost})).status == 401
    enrolled = await place.post("/v1/enrolment", form)
    admin = await Person(place, "admin.satu", "", enrolled.content["codes"], "").sign_in()
    assert (
        await admin.ask("PUT", "/v1/access/accounts", {"login": "budi.s", "home": "LP-PKP"})
    ).status == 200
    assert len(await place.db.find("grants", {})) == 1
    with pytest.raises(first_administrator.AdministratorElsewhere):
        await first_administrator.main(response, "admin.dua", "LP-TJP")


# Keys that change


async def test_the_issuers_key_changes_by_replica_without_a_refused_token(
    tmp_path: Path, mongo_url: str, database: str
) -> None:
    old = new_key()
    new = new_key()
    url = Keys.make(tmp_path).settings("gateway", mongo_url=mongo_url, database=database, kafka="")[
        "mongo_url"
    ]
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
    response: dict[str, Any] = {
        "living": True,
        "mongo_url": url,
        "issuer": "http://staff.localhost",
    }
    async with (
        staged(
            tmp_path / "before",
            FILE.read_text(),
            ROLE_PERMISSIONS,
            issuer_key=old,
            issuer_next_key=new,
            **response,
        ) as first,
        staged(
            tmp_path / "after",
            FILE.read_text(),
            ROLE_PERMISSIONS,
            issuer_key=new,
            issuer_previous_key=old,
            **response,
        ) as second,
    ):
        for stage in (first, second):
            await eventually(lambda stage=stage: known(stage), seconds=30)
        siti = await (await Installation(first).enrolled()).sign_in()
        signed = {jwt.get_unverified_header(siti.access)["kid"]}
        tokens = [siti.access]
        siti.at = Installation(second)
        second_response = (await siti.refreshed()).content
        tokens.append(second_response["access_token"])
        signed.add(jwt.get_unverified_header(tokens[1])["kid"])
        assert len(signed) == 2
        for stage in (first, second):
            published = {
                key["kid"]
                for key in (await stage.ask("GET", "/.well-known/jwks.json")).content["keys"]
            }
            assert published >= signed
            for token in tokens:
                assert (
                    await stage.ask(
                        "GET", "/v1/classes", headers={"authorization": f"Bearer {token}"}
                    )
                ).status == 200
