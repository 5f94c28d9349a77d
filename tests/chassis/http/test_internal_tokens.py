"""Internal tokens and the client of internal queries.

A token of another issuer, audience, query or time is refused.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from chassis.errors import Unauthenticated
from chassis.http.internal_tokens import InternalTokenSigner, InternalTokenVerifier
from chassis.http.service_client import ServiceClient, ServiceRefused, ServiceUnavailable
from ops.local import platform_checks
from tests.fakes import Keys, eventually

TRAINING: dict[str, Any] = {"issuer": "training"}
PATH = "/internal/jars/1"
QUESTION: dict[str, Any] = {
    "aud": "shop",
    "sub": "service:training",
    "method": "GET",
    "path": PATH,
    "purpose": "count",
}
CALLER: dict[str, Any] = {
    "aud": "shop",
    "sub": "tester",
    "permissions": ["GET /v1/jars"],
    "role": "tester",
    "claims": {},
}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys.make(tmp_path, ("gateway", "shop", "training"))


def private(keys: Keys, issuer: str) -> Ed25519PrivateKey:
    key = load_pem_private_key(keys.private[issuer].encode(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def signed(
    keys: Keys,
    content: dict[str, Any],
    *,
    issuer: str,
    by: str = "",
    lasts: float = 60,
    without: str = "",
) -> str:
    now = int(time.time())
    whole = {"iss": issuer, "iat": now, "exp": int(now + lasts), "jti": "1"} | content
    return jwt.encode(
        {name: value for name, value in whole.items() if name != without},
        private(keys, by or issuer),
        algorithm="EdDSA",
    )


def unsigned(content: dict[str, Any], algorithm: str) -> str:
    parts = [
        {"alg": algorithm, "typ": "JWT"},
        {"iss": "gateway", "iat": int(time.time()), "exp": int(time.time()) + 60} | content,
    ]
    return (
        ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
            for part in parts
        )
        + "."
    )


def by_public_key(keys: Keys) -> str:
    """Return a token signed with HS256 under the public key (algorithm confusion)."""
    return jwt.api_jws.encode(
        json.dumps(
            {"iss": "gateway", "iat": int(time.time()), "exp": int(time.time()) + 60} | CALLER
        ).encode(),
        base64.b64encode((keys.directory / "gateway.pem").read_bytes()),
        algorithm="HS256",
    )


BAD_CALLERS: dict[str, Callable[[Keys], str]] = {
    "no token": lambda _: "",
    "no JWT": lambda _: "a.b.c",
    "alg none": lambda _: unsigned(CALLER, "none"),
    "signature cut off": lambda _: unsigned(CALLER, "EdDSA"),
    "symmetric by the public key": by_public_key,
    "another audience": lambda keys: signed(keys, CALLER | {"aud": "training"}, issuer="gateway"),
    "no audience": lambda keys: signed(keys, CALLER, issuer="gateway", without="aud"),
    "expired": lambda keys: signed(keys, CALLER, issuer="gateway", lasts=-1),
    "expired since a second": lambda keys: signed(
        keys, CALLER | {"iat": int(time.time()) - 61}, issuer="gateway", lasts=-1
    ),
    "lives for ten years": lambda keys: signed(keys, CALLER, issuer="gateway", lasts=3e8),
    "lives for 61 seconds": lambda keys: signed(keys, CALLER, issuer="gateway", lasts=61),
    "expires before it begins": lambda keys: signed(
        keys, CALLER | {"iat": int(time.time()) + 4}, issuer="gateway", lasts=3
    ),
    "begins in a minute": lambda keys: signed(
        keys, CALLER | {"iat": int(time.time()) + 60}, issuer="gateway", lasts=90
    ),
    "never expires": lambda keys: signed(keys, CALLER, issuer="gateway", without="exp"),
    "not yet": lambda keys: signed(keys, CALLER | {"nbf": int(time.time()) + 60}, issuer="gateway"),
    "unknown issuer": lambda keys: signed(keys, CALLER, issuer="nobody", by="gateway"),
    "no issuer": lambda keys: signed(keys, CALLER, issuer="gateway", without="iss"),
    "issuer that is no text": lambda _: unsigned(CALLER | {"iss": ["gateway"]}, "EdDSA"),
    "key of another issuer": lambda keys: signed(keys, CALLER, issuer="gateway", by="training"),
    "a service's own word for a caller": lambda keys: signed(keys, CALLER, issuer="training"),
    "a question's token": lambda keys: signed(keys, QUESTION, issuer="training"),
    "a megabyte": lambda keys: signed(keys, CALLER, issuer="gateway") + "x" * 1024 * 1024,
}


@pytest.mark.parametrize("name", BAD_CALLERS)
def test_a_token_with_one_fault_names_no_caller(keys: Keys, name: str) -> None:
    verifier = InternalTokenVerifier("shop", keys.directory)
    assert verifier.caller(signed(keys, CALLER, issuer="gateway")).subject == "tester"
    with pytest.raises(Unauthenticated):
        verifier.caller(BAD_CALLERS[name](keys))


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_a_token_of_a_clock_that_is_ahead_by_seconds_is_taken(keys: Keys, claim: str) -> None:
    verifier = InternalTokenVerifier("shop", keys.directory)
    token = signed(keys, CALLER | {claim: int(time.time()) + 4}, issuer="gateway")
    assert verifier.caller(token).subject == "tester"


async def test_a_token_that_was_believed_is_refused_once_it_has_expired(keys: Keys) -> None:
    verifier = InternalTokenVerifier("shop", keys.directory)
    token = signed(keys, CALLER, issuer="gateway", lasts=2)
    assert verifier.caller(token).subject == "tester"

    async def refused() -> bool:
        try:
            verifier.caller(token)
        except Unauthenticated:
            return True
        return False

    await eventually(refused, seconds=5)
    assert time.time() >= jwt.decode(token, options={"verify_signature": False})["exp"]


BAD_QUESTIONS: dict[
    str, tuple[dict[str, Any], dict[str, Any]]
] = {  # changed claims of the token, and how it is signed
    "another audience": ({"aud": "manpower"}, {}),
    "another method": ({"method": "POST"}, {}),
    "another path": ({"path": "/internal/jars/2"}, {}),
    "no method": ({"method": None}, {}),
    "no path": ({"path": None}, {}),
    "on behalf of another service": ({"sub": "service:manpower"}, {}),
    "expired": ({}, {"lasts": -1}),
    "unknown issuer": ({"sub": "service:nobody"}, {"issuer": "nobody", "by": "training"}),
    "the gateway itself": ({"sub": "service:gateway"}, {"issuer": "gateway"}),
    "key of another issuer": ({}, {"by": "gateway"}),
}


@pytest.mark.parametrize("name", BAD_QUESTIONS)
def test_a_service_is_believed_only_for_the_very_question_that_it_signed(
    keys: Keys, name: str
) -> None:
    content, how = BAD_QUESTIONS[name]
    verifier = InternalTokenVerifier("shop", keys.directory)
    assert (
        verifier.calling_service(signed(keys, QUESTION, issuer="training"), "GET", PATH).purpose
        == "count"
    )
    with pytest.raises(Unauthenticated):
        verifier.calling_service(signed(keys, QUESTION | content, **(TRAINING | how)), "GET", PATH)


# Queries to another service


class PeerApp:
    """Another service, which verifies tokens like every service and gives a prepared answer."""

    def __init__(self, keys: Keys) -> None:
        self.verifier = InternalTokenVerifier("shop", keys.directory)
        self.asked = list[str]()
        self.status = 200
        self.failing = 0

    async def answer(self, request: web.Request) -> web.Response:
        try:
            calling = self.verifier.calling_service(
                request.headers["authorization"].removeprefix("Bearer "),
                request.method,
                request.path,
            )
        except Unauthenticated as error:
            return web.json_response({"code": error.code}, status=error.status)
        self.asked.append(f"{calling.purpose} for {calling.on_behalf_of}")
        if self.failing:
            self.failing -= 1
            return web.Response(status=503)
        return web.json_response(
            {"code": "jar_full", "said": await request.text()}, status=self.status
        )


@pytest.fixture
async def answers(keys: Keys) -> AsyncIterator[tuple[PeerApp, str]]:
    peer = PeerApp(keys)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", peer.answer)
    server = TestServer(app)
    await server.start_server()
    yield peer, str(server.make_url(""))
    await server.close()


@pytest.fixture
async def peer(keys: Keys, answers: tuple[PeerApp, str]) -> AsyncIterator[ServiceClient]:
    one = ServiceClient(
        "shop", answers[1], InternalTokenSigner("training", keys.private["training"])
    )
    yield one
    await one.close()


async def test_a_query_carries_a_token_for_this_query_only(
    peer: ServiceClient, answers: tuple[PeerApp, str]
) -> None:
    assert await peer.request(
        "POST", PATH, purpose="count", on_behalf_of="officer-1", body=[1]
    ) == {
        "code": "jar_full",
        "said": "[1]",
    }
    assert answers[0].asked == ["count for officer-1"]


@pytest.mark.scenario("T16/lookup-retried")
async def test_a_failing_service_is_asked_again_and_then_unavailable(
    peer: ServiceClient, answers: tuple[PeerApp, str]
) -> None:
    answers[0].failing = 2
    assert (await peer.request("GET", PATH, purpose="count", on_behalf_of="officer-1"))[
        "code"
    ] == "jar_full"
    answers[0].failing = 3
    with pytest.raises(ServiceUnavailable):
        await peer.request("GET", PATH, purpose="count", on_behalf_of="officer-1")


async def test_a_refusal_is_not_repeated_and_names_who_refused_and_why(
    peer: ServiceClient, answers: tuple[PeerApp, str]
) -> None:
    answers[0].status = 404
    with pytest.raises(ServiceRefused) as answer:
        await peer.request("GET", PATH, purpose="count", on_behalf_of="officer-1")
    assert answer.value.facts == {"peer": "shop", "peer_status": 404, "peer_code": "jar_full"}
    assert len(answers[0].asked) == 1


async def test_a_peer_that_is_asked_with_a_token_for_another_refuses(
    keys: Keys, answers: tuple[PeerApp, str]
) -> None:
    lost = ServiceClient(
        "manpower", answers[1], InternalTokenSigner("training", keys.private["training"])
    )
    with pytest.raises(ServiceRefused) as answer:
        await lost.request("GET", PATH, purpose="count", on_behalf_of="officer-1")
    assert answer.value.facts["peer_status"] == 401
    await lost.close()


async def test_where_nobody_listens_the_peer_is_away(keys: Keys) -> None:
    nobody = ServiceClient(
        "shop",
        f"http://127.0.0.1:{platform_checks.find_free_ports(1)[0]}",
        InternalTokenSigner("training", keys.private["training"]),
    )
    with pytest.raises(ServiceUnavailable):
        await nobody.request("GET", PATH, purpose="count", on_behalf_of="officer-1")
    await nobody.close()
