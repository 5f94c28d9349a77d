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
from tests.gateway.harness import GatewayResponse, new_key, running_gateway, settings
from tests.gateway.installation import FORM, PASSWORD, InstallationHarness, Person, same
from tests.gateway.region import FILE, known

# Endpoints as the standards want them


async def test_the_token_endpoint_speaks_rfc_6749(installation: InstallationHarness) -> None:
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
        answer = await installation.form("token", None, **response)
        assert (
            answer.status,
            answer.content["error"],
            answer.headers["cache-control"],
            answer.headers["content-type"],
        ) == (status, error, "no-store", "application/json")
    twice = await installation.harness.ask(
        "POST", "/v1/oauth/token", data="grant_type=refresh_token&grant_type=password", headers=FORM
    )
    assert twice.content["error"] == "invalid_request"


async def test_the_discovery_document_leads_to_the_keys_and_endpoints(
    installation: InstallationHarness,
) -> None:
    for path in ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"):
        document = (await installation.harness.ask("GET", path)).content
        assert document["issuer"] == installation.origin
        assert document["token_endpoint"] == f"{installation.origin}/v1/oauth/token"
    siti = await (await installation.enrolled()).sign_in()
    keys = jwt.PyJWKSet.from_dict(
        (await installation.harness.ask("GET", "/.well-known/jwks.json")).content
    )
    key = keys[jwt.get_unverified_header(siti.access)["kid"]]
    assert (
        jwt.decode(
            siti.access, key, algorithms=["EdDSA"], audience="bina", issuer=installation.origin
        )["sub"]
        == siti.user_id
    )
    assert (
        await installation.harness.ask(
            "GET", "/.well-known/openid-configuration", group=Group.CERTIFICATE
        )
    ).status == 404


async def test_every_token_but_our_access_token_is_401_with_one_body(
    installation: InstallationHarness,
) -> None:
    siti = await (await installation.enrolled()).sign_in()
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
    async with running_gateway(
        tmp_path, FILE.read_text(), ROLE_PERMISSIONS, living=True, mongo_url=url
    ) as harness:
        await eventually(lambda: known(harness), seconds=30)
        assert (
            await harness.ask("POST", "/v1/oauth/token", data="grant_type=password", headers=FORM)
        ).status == 404
        assert (await harness.ask("GET", "/.well-known/openid-configuration")).status == 404


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


async def system(installation: InstallationHarness, client_id: str = "dinas-satu") -> str:
    """Register a system with a grant and return its user id."""
    user_id = (
        await installation.admin(
            "PUT", f"clients/{client_id}", {"home": "LP-TJP", "label": "Sistem Giatja"}
        )
    ).content["user_id"]
    await installation.assigned(user_id, "training_officer")
    return user_id


async def test_a_system_proves_itself_by_either_of_two_secrets_while_they_change(
    installation: InstallationHarness,
) -> None:
    user_id = await system(installation)
    assert await system(installation) == user_id, "a lost answer makes no second one"
    old = (await installation.admin("PUT", "clients/dinas-satu/secrets/1")).content["client_secret"]
    new = (await installation.admin("PUT", "clients/dinas-satu/secrets/2")).content["client_secret"]

    async def request_token(secret: str) -> GatewayResponse:
        return await installation.form(
            "token", grant_type="client_credentials", client_id="dinas-satu", client_secret=secret
        )

    assert [(await request_token(secret)).status for secret in (old, new, "wrong")] == [
        200,
        200,
        401,
    ]
    await installation.admin("DELETE", "clients/dinas-satu/slots/1")
    assert [(await request_token(secret)).status for secret in (old, new)] == [401, 200]
    stored = json.dumps(await installation.db.find("clients", {}), default=str)
    assert new not in stored
    assert (await installation.admin("GET", "clients/dinas-satu")).content["secrets"] == ["2"]
    assert (await installation.admin("GET", "clients/dinas-satu", facility="LP-PKP")).status == 404
    await installation.admin("POST", "clients/dinas-satu/disable")
    assert (await request_token(new)).status == 401


async def test_a_system_authenticates_by_its_key_with_each_assertion_once(
    installation: InstallationHarness,
) -> None:
    await system(installation)
    key = Ed25519PrivateKey.generate()
    other = Ed25519PrivateKey.generate()
    x = encoded(key.public_key().public_bytes_raw())
    assert (
        await installation.admin(
            "PUT",
            "clients/dinas-satu/keys/1",
            {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": x, "d": x}},
        )
    ).content["code"] == "key_refused"
    await installation.admin(
        "PUT", "clients/dinas-satu/keys/1", {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": x}}
    )

    def assertion(signer: Any = key, algorithm: str = "EdDSA", **more: Any) -> str:
        now = int(time.time())
        content = {
            "iss": "dinas-satu",
            "sub": "dinas-satu",
            "aud": f"{installation.origin}/v1/oauth/token",
            "exp": now + 60,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(
            {name: value for name, value in (content | more).items() if value is not None},
            signer,
            algorithm=algorithm,
        )

    async def request_token(one: str, **more: str) -> GatewayResponse:
        return await installation.form(
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
    assert (await installation.harness.ask("GET", "/v1/classes", headers=headers)).status == 200
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
    assert (await installation.form("revoke", token=answer.content["access_token"])).status == 200

    async def gone() -> bool:
        return (await installation.harness.ask("GET", "/v1/classes", headers=headers)).status == 401

    await eventually(gone)


async def test_manpowers_systems_authenticate_only_by_what_it_registered(
    installation: InstallationHarness,
) -> None:
    secret = secrets.token_urlsafe(32)
    body = {"secrets": {"1": hashlib.sha256(secret.encode()).hexdigest()}}
    first, again = [
        await installation.internal_request("/internal/clients/agency-7", body) for _ in range(2)
    ]
    assert (first.status_code, first.json()) == (200, again.json())
    assert (
        await installation.internal_request("/internal/clients/agency-7", body, service="training")
    ).status_code == 403
    await installation.grant(first.json()["user_id"])
    response = await installation.form(
        "token", grant_type="client_credentials", client_id="agency-7", client_secret=secret
    )
    assert response.status == 200
    headers = {"authorization": f"Bearer {response.content['access_token']}"}
    assert (
        await installation.harness.ask(
            "GET", "/v1/candidates", headers=headers, group=Group.PARTNER
        )
    ).status == 200
    await installation.internal_request("/internal/clients/agency-7", {})
    assert (
        await installation.form(
            "token", grant_type="client_credentials", client_id="agency-7", client_secret=secret
        )
    ).status == 401


# The first administrator


async def test_only_the_first_administrator_starts_with_a_code_of_the_machine(
    installation: InstallationHarness,
) -> None:
    response = installation.harness.gateway.internal_api.state.service.settings
    lost = await first_administrator.main(response, "admin.satu", "LP-TJP")
    code = await first_administrator.main(response, "admin.satu", "LP-TJP")
    form = {"login": "admin.satu", "code": code, "password": PASSWORD}
    assert (await installation.post("/v1/enrolment", form | {"code": lost})).status == 401
    enrolled = await installation.post("/v1/enrolment", form)
    admin = await Person(installation, "admin.satu", "", enrolled.content["codes"], "").sign_in()
    assert (
        await admin.ask("PUT", "/v1/access/accounts", {"login": "budi.s", "home": "LP-PKP"})
    ).status == 200
    assert len(await installation.db.find("grants", {})) == 1
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
        running_gateway(
            tmp_path / "before",
            FILE.read_text(),
            ROLE_PERMISSIONS,
            issuer_key=old,
            issuer_next_key=new,
            **response,
        ) as first,
        running_gateway(
            tmp_path / "after",
            FILE.read_text(),
            ROLE_PERMISSIONS,
            issuer_key=new,
            issuer_previous_key=old,
            **response,
        ) as second,
    ):
        for harness in (first, second):
            await eventually(lambda harness=harness: known(harness), seconds=30)
        siti = await (await InstallationHarness(first).enrolled()).sign_in()
        signed = {jwt.get_unverified_header(siti.access)["kid"]}
        tokens = [siti.access]
        siti.at = InstallationHarness(second)
        second_response = (await siti.refreshed()).content
        tokens.append(second_response["access_token"])
        signed.add(jwt.get_unverified_header(tokens[1])["kid"])
        assert len(signed) == 2
        for harness in (first, second):
            published = {
                key["kid"]
                for key in (await harness.ask("GET", "/.well-known/jwks.json")).content["keys"]
            }
            assert published >= signed
            for token in tokens:
                assert (
                    await harness.ask(
                        "GET", "/v1/classes", headers={"authorization": f"Bearer {token}"}
                    )
                ).status == 200
