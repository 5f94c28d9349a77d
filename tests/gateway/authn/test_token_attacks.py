"""Attacks on tokens."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable

import pytest

from gateway.authn.dev_issuer import AUDIENCE, ISSUER, thumbprint
from tests.gateway.authn.test_tokens import forged, private
from tests.gateway.factories import raw
from tests.gateway.harness import GatewayHarness


def encoded(content: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def header_of(harness: GatewayHarness) -> str:
    """Return the JSON text of a valid token's header."""
    return json.dumps(
        {"alg": "EdDSA", "typ": "JWT", "kid": thumbprint(private(harness.issuer_key).public_key())}
    )


def hand_made(harness: GatewayHarness, content: str, header: str = "") -> str:
    """Return a token with a valid signature over exactly these JSON texts."""
    signed = f"{encoded((header or header_of(harness)).encode())}.{encoded(content.encode())}"
    return f"{signed}.{encoded(private(harness.issuer_key).sign(signed.encode()))}"


def members(more: str, *, without: str = "") -> str:
    """Return the JSON text of a valid token's claims with `more` appended."""
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
    return (
        json.dumps({name: value for name, value in response.items() if name != without})[:-1]
        + f", {more}}}"
    )


TOKENS: dict[str, Callable[[GatewayHarness], str]] = {
    "an expiry that is not a number at all": lambda harness: hand_made(
        harness, members('"exp": NaN', without="exp")
    ),
    "an expiry without end": lambda harness: hand_made(
        harness, members('"exp": Infinity', without="exp")
    ),
    "an expiry beyond what a float holds": lambda harness: hand_made(
        harness, members('"exp": 1e400', without="exp")
    ),
    "an expiry of four hundred figures": lambda harness: hand_made(
        harness, members(f'"exp": 1{"0" * 400}', without="exp")
    ),
    "an expiry of five thousand figures": lambda harness: hand_made(
        harness, members(f'"exp": 1{"0" * 5_000}', without="exp")
    ),
    "an expiry in words": lambda harness: forged(harness, exp=str(int(time.time()) + 600)),
    "an expiry before time began": lambda harness: forged(harness, exp=-1),
    "a beginning without end": lambda harness: hand_made(harness, members('"nbf": Infinity')),
    "a beginning that is not a number at all": lambda harness: hand_made(
        harness, members('"nbf": NaN')
    ),
    "a beginning in words": lambda harness: forged(harness, nbf="0"),
    "a life longer than a withdrawal is remembered": lambda harness: forged(
        harness, exp=int(time.time()) + 3 * 86_400
    ),
    "no moment of issue": lambda harness: forged(harness, iat=None),
    "an issue of four hundred figures": lambda harness: hand_made(
        harness, members(f'"iat": -1{"0" * 400}', without="iat")
    ),
    "the audience said twice": lambda harness: hand_made(
        harness, members('"aud": "elsewhere", "aud": "bina"', without="aud")
    ),
    "the role said twice": lambda harness: hand_made(harness, members('"role": "administrator"')),
    "a header member said twice": lambda harness: hand_made(
        harness, members('"a": 1'), '{"alg": "none", ' + header_of(harness)[1:]
    ),
    "audiences that are not ours": lambda harness: forged(harness, aud=["training", "gateway"]),
    "a subject that is a list": lambda harness: hand_made(
        harness, members('"sub": ["officer"]', without="sub")
    ),
    "a subject that is a number": lambda harness: hand_made(
        harness, members('"sub": 7', without="sub")
    ),
    "no subject": lambda harness: forged(harness, sub=""),
    "an issuer that is a list": lambda harness: hand_made(
        harness, members(f'"iss": ["{ISSUER}"]', without="iss")
    ),
    "a certificate's address": lambda harness: forged(
        harness, headers={"x5u": "http://127.0.0.1:1/"}
    ),
    "a certificate": lambda harness: forged(harness, headers={"x5c": ["AAAA"]}),
    "a body that is not encoded": lambda harness: forged(
        harness, headers={"b64": False, "crit": ["b64"]}
    ),
    "a key id that is a list": lambda harness: hand_made(
        harness, members('"a": 1'), '{"alg": "EdDSA", "kid": ["k"]}'
    ),
    "a key id that is a statement": lambda harness: hand_made(
        harness, members('"a": 1'), '{"alg": "EdDSA", "kid": {"$ne": ""}}'
    ),
    "an algorithm that is a list": lambda harness: hand_made(
        harness, members('"a": 1'), '{"alg": ["EdDSA"], "kid": "k"}'
    ),
    "an algorithm in other letters": lambda harness: hand_made(
        harness, members('"a": 1'), header_of(harness).replace("EdDSA", "eddsa")
    ),
    "a header that is a list": lambda harness: hand_made(harness, members('"a": 1'), "[]"),
    "a content that is a list": lambda harness: hand_made(harness, "[]"),
    "a header nested without end": lambda harness: hand_made(harness, "{}", "[" * 5_000),
    "a content nested without end": lambda harness: hand_made(harness, "[" * 5_000),
    "letters beside the signature": lambda harness: forged(harness) + "!!",
    "a padded signature": lambda harness: forged(harness) + "==",
    "a line end behind the token": lambda harness: forged(harness) + "\t",
    "four parts": lambda harness: forged(harness) + ".e30",
    "five parts": lambda harness: forged(harness) + ".e30.e30",
    "a second token behind a comma": lambda harness: f"{forged(harness)}, Bearer {forged(harness)}",
    "two spaces": lambda harness: " " + forged(harness),
}


@pytest.mark.parametrize("name", TOKENS)
async def test_no_trick_with_a_token_proves_anybody_or_finds_a_defect(
    harness: GatewayHarness, name: str
) -> None:
    response = await raw(
        harness,
        (
            "GET /v1/classes HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
            f"authorization: Bearer {TOKENS[name](harness)}\r\n\r\n"
        ),
    )
    assert response.startswith("HTTP/1.1 401 "), response[:200]
    assert harness.upstream.seen == []


async def test_a_token_of_several_audiences_is_believed_where_one_of_them_is_us(
    harness: GatewayHarness,
) -> None:
    token = forged(harness, aud=["elsewhere", AUDIENCE])
    assert (
        await harness.ask("GET", "/v1/classes", headers={"authorization": f"Bearer {token}"})
    ).status == 200
