"""The token endpoint for clients of any library: HTTP Basic, content types, discovery."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from urllib.parse import quote_plus, urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.responses import Response

from chassis.errors import Duplicate
from gateway.access.clients.assertions import ASSERTION_TYPE
from gateway.access.oauth.errors import with_oauth_errors
from gateway.host_group import Group
from tests.gateway.authenticator import encoded
from tests.gateway.harness import GatewayResponse
from tests.gateway.installation import FORM, InstallationHarness

CLIENT = {"grant_type": "client_credentials"}
CHALLENGE = 'Basic realm="oauth", charset="UTF-8"'


def basic(client_id: str, secret: str) -> dict[str, str]:
    """Return the header of HTTP Basic as RFC 6749, section 2.3.1, builds it."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
    return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}


async def system_with_secret(installation: InstallationHarness) -> str:
    """Register the system `dinas-satu` and return its secret."""
    system = {"home": "LP-TJP", "label": "Sistem Giatja"}
    user_id = (await installation.admin("PUT", "clients/dinas-satu", system)).content["user_id"]
    await installation.assigned(user_id, "training_officer")
    answer = await installation.admin("PUT", "clients/dinas-satu/secrets/1")
    return answer.content["client_secret"]


async def test_a_client_proves_itself_by_http_basic(installation: InstallationHarness) -> None:
    secret = await system_with_secret(installation)
    answer = await installation.form("token", basic("dinas-satu", secret), **CLIENT)
    assert (answer.status, answer.content["token_type"]) == (200, "Bearer")
    bearer = {"authorization": f"Bearer {answer.content['access_token']}"}
    assert (await installation.harness.ask("GET", "/v1/classes", headers=bearer)).status == 200
    named = CLIENT | {"client_id": "dinas-satu"}
    assert (await installation.form("token", basic("dinas-satu", secret), **named)).status == 200
    revoked = await installation.form(
        "revoke", basic("dinas-satu", secret), token=answer.content["access_token"]
    )
    assert revoked.status == 200


async def test_a_false_http_basic_is_401_with_a_challenge(
    installation: InstallationHarness,
) -> None:
    secret = await system_with_secret(installation)
    bad = [
        basic("dinas-satu", "wrong"),
        basic("dinas-dua", secret),
        basic("", ""),
        {"authorization": "Basic !"},
        {"authorization": "Basic"},
        {"authorization": f"Basic {base64.b64encode(b'dinas-satu').decode()}"},
        {"authorization": f"Basic {base64.b64encode(bytes([255, 58, 255])).decode()}"},
    ]
    for header in bad:
        answer = await installation.form("token", header, **CLIENT)
        assert (answer.status, answer.content["error"]) == (401, "invalid_client"), header
        assert answer.headers["www-authenticate"] == CHALLENGE
    other = CLIENT | {"client_id": "dinas-dua"}
    answer = await installation.form("token", basic("dinas-satu", secret), **other)
    assert (answer.status, answer.content["error"]) == (401, "invalid_client")
    refresh = {"grant_type": "refresh_token", "refresh_token": "a.b"}
    answer = await installation.form("token", basic("dinas-satu", "wrong"), **refresh)
    assert (answer.status, answer.content["error"]) == (401, "invalid_client")
    answer = await installation.form("revoke", basic("dinas-satu", "wrong"), token="x")
    assert (answer.status, answer.content["error"]) == (401, "invalid_client")


async def test_two_ways_of_proof_are_refused(installation: InstallationHarness) -> None:
    secret = await system_with_secret(installation)
    twice = CLIENT | {"client_id": "dinas-satu", "client_secret": secret}
    answer = await installation.form("token", basic("dinas-satu", secret), **twice)
    assert (answer.status, answer.content["error"]) == (400, "invalid_request")


async def test_http_basic_is_accepted_at_no_other_route(installation: InstallationHarness) -> None:
    secret = await system_with_secret(installation)
    header = basic("dinas-satu", secret)
    for method, path in (("GET", "/v1/classes"), ("POST", "/v1/sign-in")):
        assert (await installation.harness.ask(method, path, headers=header)).status == 401


async def test_the_header_of_the_gateway_is_not_taken_from_outside(
    installation: InstallationHarness,
) -> None:
    secret = await system_with_secret(installation)
    header = {"client-authorization": basic("dinas-satu", secret)["authorization"]}
    answer = await installation.form("token", header, **CLIENT)
    assert (answer.status, answer.content["error"]) == (400, "invalid_request")


async def test_a_body_that_is_no_form_is_named_by_its_content_type(
    installation: InstallationHarness,
) -> None:
    secret = await system_with_secret(installation)
    body = CLIENT | {"client_id": "dinas-satu", "client_secret": secret}
    answer = await installation.post("/v1/oauth/token", body)
    assert (answer.status, answer.content["error"]) == (400, "invalid_request")
    assert "content-type" in answer.content["error_description"]
    form = {"content-type": f"{FORM['content-type']}; charset=utf-8"}
    answer = await installation.harness.ask(
        "POST", "/v1/oauth/token", data=urlencode(body), headers=form
    )
    assert answer.status == 200


@pytest.mark.parametrize(
    "path", ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]
)
async def test_each_host_with_the_endpoint_names_itself_in_discovery(
    installation: InstallationHarness, path: str
) -> None:
    ask = installation.harness.ask
    port = installation.harness.port
    partner_port = port + list(Group).index(Group.PARTNER)
    for group, origin in (
        (Group.STAFF, f"http://staff.localhost:{port}"),
        (Group.PARTNER, f"http://partner.localhost:{partner_port}"),
    ):
        document = (await ask("GET", path, group=group)).content
        assert document["issuer"] == origin
        addresses = [value for name, value in document.items() if name.endswith(("_uri", "point"))]
        assert len(addresses) == 3
        assert all(address.startswith(f"{origin}/") for address in addresses)
        methods = document["token_endpoint_auth_methods_supported"]
        assert {"client_secret_basic", "client_secret_post", "private_key_jwt"} <= set(methods)
    for group in (Group.SHOP, Group.CERTIFICATE):
        assert (await ask("GET", path, group=group)).status == 404


async def assertion_of(
    installation: InstallationHarness, audience: str, group: Group = Group.STAFF
) -> tuple[dict[str, str], Group]:
    """Register a key of `dinas-satu` and return a form with an assertion for this audience."""
    await system_with_secret(installation)
    key = Ed25519PrivateKey.generate()
    x = encoded(key.public_key().public_bytes_raw())
    jwk = {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": x}}
    await installation.admin("PUT", "clients/dinas-satu/keys/1", jwk)
    claims = {
        "iss": "dinas-satu",
        "sub": "dinas-satu",
        "aud": audience,
        "exp": int(time.time()) + 60,
        "jti": secrets.token_hex(8),
    }
    assertion = jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": "a+b/c=="})
    form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    return CLIENT | form, group


async def ask_for_token(
    installation: InstallationHarness, form: dict[str, str], group: Group
) -> GatewayResponse:
    """Send the form to the token endpoint of a host group."""
    return await installation.harness.ask(
        "POST", "/v1/oauth/token", data=urlencode(form), headers=FORM, group=group
    )


async def test_an_assertion_may_name_the_endpoint_of_the_partner_host(
    installation: InstallationHarness,
) -> None:
    document = await installation.harness.ask(
        "GET", "/.well-known/openid-configuration", group=Group.PARTNER
    )
    form, group = await assertion_of(
        installation, document.content["token_endpoint"], Group.PARTNER
    )
    assert (await ask_for_token(installation, form, group)).status == 200


async def test_of_two_simultaneous_uses_of_an_assertion_one_is_refused(
    installation: InstallationHarness,
) -> None:
    form, group = await assertion_of(installation, installation.origin)
    answers = await asyncio.gather(*(ask_for_token(installation, form, group) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401]


async def test_a_duplicate_elsewhere_is_not_the_fault_of_a_client() -> None:
    async def route() -> Response:
        raise Duplicate

    with pytest.raises(Duplicate):
        await with_oauth_errors(route)()


async def test_the_document_describes_the_token_endpoint_with_examples(
    installation: InstallationHarness,
) -> None:
    app = installation.harness.gateway.internal_api
    operation = app.openapi()["paths"]["/v1/oauth/token"]["post"]
    content = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]
    assert content["schema"]["required"] == ["grant_type"]
    for example in content["examples"].values():
        assert example["value"].keys() <= content["schema"]["properties"].keys()
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema["$ref"].endswith("/TokenBody")
    assert "client-authorization" not in json.dumps(operation)
