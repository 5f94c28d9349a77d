"""Tokens of the development issuer: verified, remembered, revoked."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from chassis.errors import Unauthenticated
from chassis.http.internal_tokens import InternalTokenSigner, InternalTokenVerifier
from gateway.access.jwk import public_jwk, thumbprint
from gateway.authn import issue_development_token
from gateway.authn.dev_issuer import AUDIENCE, ISSUER, TokenNotIssued
from gateway.authn.revocation_cache import RevocationCache
from gateway.problems import IssuerUnavailable, TokenRefused
from tests.gateway.authn.factories import Clock, nothing_revoked, own_tokens, signed
from tests.gateway.harness import GatewayHarness, new_key

OIDC = "https://id.example/realms/lapas"


def private(pem: str) -> Ed25519PrivateKey:
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def forged(
    harness: GatewayHarness,
    *,
    headers: Mapping[str, Any] | None = None,
    key: Any = None,
    algorithm: str = "EdDSA",
    **content: Any,
) -> str:
    """Return a token like the development issuer's, except for what the test changes."""
    own = private(harness.issuer_key)
    now = int(time.time())
    response = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "officer",
        "iat": now,
        "exp": now + 600,
        "role": "training_officer",
        "claims": {"facility": ["LP-TJP"]},
    }
    response = {name: value for name, value in (response | content).items() if value is not None}
    return jwt.encode(
        response,
        key or own,
        algorithm=algorithm,
        headers={"kid": thumbprint(own.public_key())} | dict(headers or {}),
    )


def unsigned(harness: GatewayHarness) -> str:
    header, content, _ = forged(harness).split(".")
    none = (
        base64.urlsafe_b64encode(
            json.dumps(
                {
                    "alg": "none",
                    "typ": "JWT",
                    "kid": json.loads(base64.urlsafe_b64decode(header + "=="))["kid"],
                }
            ).encode()
        )
        .decode()
        .rstrip("=")
    )
    return f"{none}.{content}."


def confused(harness: GatewayHarness) -> str:
    """Return a token signed with HS256 under the public key (algorithm confusion)."""
    public = private(harness.issuer_key).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return forged(harness, key=public + b"\0" * 32, algorithm="HS256")


BAD_TOKENS: dict[str, Callable[[GatewayHarness], str]] = {
    "alg none": unsigned,
    "HS256 with the public key": confused,
    "signed by a stranger": lambda harness: forged(harness, key=Ed25519PrivateKey.generate()),
    "another audience": lambda harness: forged(harness, aud="training"),
    "no audience": lambda harness: forged(harness, aud=None),
    "another issuer": lambda harness: forged(harness, iss="https://elsewhere.example"),
    "expired": lambda harness: forged(harness, exp=int(time.time()) - 1),
    "no expiry": lambda harness: forged(harness, exp=None),
    "an expiry that is no number": lambda harness: forged(harness, exp=True),
    "not yet valid": lambda harness: forged(harness, nbf=int(time.time()) + 60),
    "issued in the future": lambda harness: forged(harness, iat=int(time.time()) + 60),
    "unknown key id": lambda harness: forged(harness, headers={"kid": "somebody-else"}),
    "key id as a path": lambda harness: forged(harness, headers={"kid": "../../etc/passwd"}),
    "key id as a query": lambda harness: forged(harness, headers={"kid": "' OR 1=1 --"}),
    "no key id": lambda harness: forged(harness, headers={"kid": ""}),
    "its own key": lambda harness: forged(
        harness, headers={"jwk": public_jwk(Ed25519PrivateKey.generate().public_key())}
    ),
    "the address of a key": lambda harness: forged(
        harness, headers={"jku": "http://127.0.0.1:1/keys"}
    ),
    "a critical extension": lambda harness: forged(harness, headers={"crit": ["exp"]}),
    "a type with two prefixes": lambda harness: forged(
        harness, headers={"typ": "application/application/jwt"}
    ),
    "key id with a blank": lambda harness: forged(harness, headers={"kid": "a b"}),
    "another type": lambda harness: forged(harness, headers={"typ": "secevent+jwt"}),
    "unknown role": lambda harness: forged(harness, role="superuser"),
    "the public's role": lambda harness: forged(harness, role="public"),
    "unknown claim": lambda harness: forged(harness, claims={"everything": ["*"]}),
    "a claim that is no list": lambda harness: forged(harness, claims={"facility": "LP-TJP"}),
    "oversized": lambda harness: forged(harness, padding="x" * 9_000),
    "no token at all": lambda _: "",
    "not a token": lambda _: "abc",
    "letters beyond ASCII": lambda _: "aé.b.c",
}


@pytest.mark.parametrize("name", BAD_TOKENS)
async def test_every_bad_token_is_401_with_one_body_and_reaches_no_service(
    harness: GatewayHarness, name: str
) -> None:
    bad = await harness.ask(
        "GET", "/v1/classes", headers={"authorization": f"Bearer {BAD_TOKENS[name](harness)}"}
    )
    none = await harness.ask("GET", "/v1/classes")
    assert bad.status == none.status == 401
    assert bad.content | {"request_id": ""} == none.content | {"request_id": ""}
    assert bad.headers["www-authenticate"] == "Bearer"
    assert harness.upstream.seen == []


async def test_the_same_token_without_a_fault_is_believed(harness: GatewayHarness) -> None:
    assert (
        await harness.ask(
            "GET", "/v1/classes", headers={"authorization": f"Bearer {forged(harness)}"}
        )
    ).status == 200


@pytest.mark.parametrize("value", ["Basic b2ZmaWNlcjpzZWNyZXQ=", "Bearer", "Token {}", "{}"])
async def test_another_scheme_is_401(harness: GatewayHarness, value: str) -> None:
    assert (
        await harness.ask(
            "GET", "/v1/classes", headers={"authorization": value.format(harness.token())}
        )
    ).status == 401


async def test_two_authorization_headers_are_401_even_when_both_are_good(
    harness: GatewayHarness,
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", harness.port)
    lines = "".join(f"authorization: Bearer {harness.token()}\r\n" for _ in range(2))
    writer.write(
        f"GET /v1/classes HTTP/1.1\r\nhost: 127.0.0.1\r\n{lines}connection: close\r\n\r\n".encode()
    )
    assert (await reader.read()).startswith(b"HTTP/1.1 401 ")
    writer.close()


async def test_a_bad_token_is_401_also_where_the_public_may_come_in(
    harness: GatewayHarness,
) -> None:
    response = await harness.ask("GET", "/v1/classes", headers={"authorization": "Bearer abc"})
    assert response.status == 401


async def test_a_choice_of_a_grant_longer_than_any_is_401(harness: GatewayHarness) -> None:
    assert (
        await harness.ask(
            "GET", "/v1/classes", headers=harness.bearer() | {"acting-grant": "g" * 200}
        )
    ).status == 200
    assert (
        await harness.ask(
            "GET", "/v1/classes", headers=harness.bearer() | {"acting-grant": "g" * 201}
        )
    ).status == 401


async def test_identity_headers_from_outside_never_reach_a_service(harness: GatewayHarness) -> None:
    injected = {
        "x-role": "administrator",
        "x-user": "somebody",
        "x-forwarded-user": "somebody",
        "x-forwarded-for": "10.0.0.1",
        "forwarded": "for=10.0.0.1",
        "x-internal-token": "abc",
        "cookie": "session=abc",
        "x-request-deadline": "1",
        "x-facility": "LP-PKP",
        "x-http-method-override": "DELETE",
        "proxy-authorization": "Basic abc",
        "te": "trailers",
    }
    response = await harness.ask("GET", "/v1/classes", headers=harness.bearer() | injected)
    assert response.status == 200
    headers = harness.upstream.last.headers
    assert int(headers.pop("x-request-deadline")) > time.time() * 1000
    assert not headers.keys() & injected.keys()
    assert (
        InternalTokenVerifier("training", harness.keys.directory)
        .caller(headers["authorization"].removeprefix("Bearer "))
        .role
        == "training_officer"
    )


async def test_a_token_made_for_one_service_is_no_use_at_another(harness: GatewayHarness) -> None:
    await harness.ask("GET", "/v1/classes", headers=harness.bearer())
    token = harness.upstream.last.headers["authorization"].removeprefix("Bearer ")
    with pytest.raises(Unauthenticated):
        InternalTokenVerifier("marketplace", harness.keys.directory).caller(token)


async def test_an_internal_token_is_no_use_at_the_gateway(harness: GatewayHarness) -> None:
    await harness.ask("GET", "/v1/classes", headers=harness.bearer())
    assert (
        await harness.ask(
            "GET",
            "/v1/classes",
            headers={"authorization": harness.upstream.last.headers["authorization"]},
        )
    ).status == 401
    own = InternalTokenSigner("training", harness.keys.private["training"]).for_service(
        "gateway", "GET", "/v1/classes", "anything"
    )
    assert (
        await harness.ask("GET", "/v1/classes", headers={"authorization": f"Bearer {own}"})
    ).status == 401


async def test_the_internal_token_is_reused_for_one_scope_only(harness: GatewayHarness) -> None:
    async def internal(**claims: str) -> str:
        await harness.ask("GET", "/v1/classes", headers=harness.bearer(subject="officer", **claims))
        return harness.upstream.last.headers["authorization"]

    first = await internal(facility="LP-TJP")
    again = await internal(facility="LP-TJP")
    elsewhere = await internal(facility="LP-PKP")
    assert first == again != elsewhere


async def test_the_development_issuer_publishes_the_key_that_signs_its_tokens(
    harness: GatewayHarness,
) -> None:
    response = await harness.ask("GET", "/.well-known/jwks.json")
    [key] = jwt.PyJWKSet.from_dict(response.content).keys
    assert (
        jwt.decode(harness.token("head"), key, algorithms=["EdDSA"], audience=AUDIENCE)["role"]
        == "head"
    )


def test_development_tokens_need_development_a_known_role_and_claim(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = new_key()
    with pytest.raises(TokenNotIssued, match="no role 'boss'"):
        issue_development_token(key, "boss", {})
    with pytest.raises(TokenNotIssued, match="no claim city"):
        issue_development_token(key, "head", {"city": "x"})
    monkeypatch.setenv("BINA_ENVIRONMENT", "production")
    with pytest.raises(TokenNotIssued, match="production"):
        issue_development_token(key, "head", {})


async def test_a_verified_token_is_cached_for_60_seconds_or_until_it_expires() -> None:
    clock = Clock()
    key = Ed25519PrivateKey.generate()
    tokens, keys = own_tokens(key, clock)
    long_lived = signed(key, clock)
    short_lived = signed(key, clock, seconds=30, jti="t-2")
    for _ in range(3):
        await tokens.verify(long_lived, "")
        await tokens.verify(short_lived, "")
    assert keys.asked == 2
    clock.now += 30
    with pytest.raises(TokenRefused):
        await tokens.verify(short_lived, "")
    clock.now += 30
    await tokens.verify(long_lived, "")
    assert keys.asked == 4


async def test_the_cache_drops_the_token_that_was_verified_longest_ago(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.authn.tokens.MAX_CACHED", 2)
    clock = Clock()
    key = Ed25519PrivateKey.generate()
    tokens, keys = own_tokens(key, clock)
    first, second, third = (signed(key, clock, jti=f"t-{number}") for number in range(3))
    await tokens.verify(first, "")
    await tokens.verify(second, "")
    clock.now += 61
    await tokens.verify(first, "")
    await tokens.verify(third, "")
    before = keys.asked
    await tokens.verify(first, "")
    assert keys.asked == before


async def test_nobody_is_believed_before_the_revocations_were_read() -> None:
    clock = Clock()
    key = Ed25519PrivateKey.generate()
    withdrawn = RevocationCache()
    tokens, _ = own_tokens(key, clock, withdrawn)
    with pytest.raises(IssuerUnavailable):
        await tokens.verify(signed(key, clock), "")
    withdrawn.replace_all([], [])
    assert (await tokens.verify(signed(key, clock), "")).role == "head"


async def test_a_revoked_token_is_refused_although_it_is_remembered() -> None:
    clock = Clock()
    key = Ed25519PrivateKey.generate()
    withdrawn = nothing_revoked()
    tokens, _ = own_tokens(key, clock, withdrawn)
    token = signed(key, clock)
    other = signed(key, clock, jti="t-2")
    await tokens.verify(token, "")
    withdrawn.replace_all(["t-1"], [])
    with pytest.raises(TokenRefused):
        await tokens.verify(token, "")
    assert (await tokens.verify(other, "")).token_id == "t-2"


async def test_a_revoked_subjects_tokens_count_again_if_issued_later() -> None:
    clock = Clock()
    key = Ed25519PrivateKey.generate()
    withdrawn = nothing_revoked()
    tokens, _ = own_tokens(key, clock, withdrawn)
    before = signed(key, clock)
    withdrawn.replace_all([], [("officer", clock.now)])
    with pytest.raises(TokenRefused):
        await tokens.verify(before, "")
    clock.now += 1
    assert (await tokens.verify(signed(key, clock), "")).subject == "officer"
