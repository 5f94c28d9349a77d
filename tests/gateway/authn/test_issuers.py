"""OIDC issuers: discovery, rotation, outages, and one request for many waiting callers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gateway.access.identity import Identity
from gateway.authn.dev_issuer import AUDIENCE
from gateway.authn.keys import (
    FRESH_SECONDS,
    NEGATIVE_CACHE_SECONDS,
    REFRESH_WAIT_SECONDS,
    RETRY_SECONDS,
    STALE_SECONDS,
    JwksKeys,
    KeysUnavailable,
    StaticKeys,
)
from gateway.authn.tokens import MAX_EARLY_SECONDS, TokenVerifier, TrustedIssuer
from gateway.problems import IssuerUnavailable, TokenRefused
from tests.fakes import eventually
from tests.gateway.authn.factories import Clock, nothing_revoked, signed
from tests.gateway.authn.test_tokens import OIDC
from tests.gateway.harness import running_gateway


class FakeIssuer:
    """A fake OIDC issuer; `away` makes its keys unavailable, `gate` holds responses back."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.away = False
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.issuer = OIDC

    async def was_asked(self) -> bool:
        return bool(self.asked)

    async def fetch(self, url: str) -> Mapping[str, Any]:
        self.asked.append(url)
        await self.gate.wait()
        if self.away:
            raise KeysUnavailable("away")
        return (
            {"issuer": self.issuer, "jwks_uri": f"{OIDC}/keys"}
            if url.endswith("openid-configuration")
            else {"keys": self.keys}
        )


def jwk_of(
    key: Ed25519PublicKey | rsa.RSAPublicKey | ec.EllipticCurvePublicKey, kid: str, **more: Any
) -> dict[str, Any]:
    match key:
        case Ed25519PublicKey():
            encoded = OKPAlgorithm.to_jwk(key, as_dict=True)
        case rsa.RSAPublicKey():
            encoded = RSAAlgorithm.to_jwk(key, as_dict=True)
        case _:
            encoded = ECAlgorithm.to_jwk(key, as_dict=True)
    return encoded | {"kid": kid} | more


SIGNING_KEYS = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "RS256": rsa.generate_private_key(65537, 2048),
    "EdDSA": Ed25519PrivateKey.generate(),
}


@pytest.mark.parametrize("algorithm", SIGNING_KEYS)
async def test_an_oidc_issuer_found_by_discovery_is_believed_with_each_algorithm(
    algorithm: str,
) -> None:
    clock = Clock()
    publisher = FakeIssuer()
    key = SIGNING_KEYS[algorithm]
    publisher.keys = [jwk_of(key.public_key(), "2026")]

    async def grants_of(issuer: str, external: str, chosen: str) -> Identity:
        assert (issuer, external, chosen) == (OIDC, "officer", "g-1")
        return Identity(
            subject="u-1",
            role="dinas_placement",
            claims={"regency": frozenset({"19.02"})},
            grant_id="g-1",
        )

    tokens = TokenVerifier(
        [
            TrustedIssuer(
                name=OIDC,
                audience=AUDIENCE,
                key_source=JwksKeys(OIDC, "", publisher.fetch, clock),
                resolve_identity=grants_of,
            )
        ],
        nothing_revoked(),
        clock,
    )
    identity = await tokens.verify(
        signed(key, clock, algorithm=algorithm, kid="2026", issuer=OIDC, role="administrator"),
        "g-1",
    )
    assert (identity.subject, identity.role, identity.claims) == (
        "u-1",
        "dinas_placement",
        {"regency": frozenset({"19.02"})},
    )
    assert publisher.asked == [f"{OIDC}/.well-known/openid-configuration", f"{OIDC}/keys"]


@pytest.mark.parametrize(
    ("kid", "headers"),
    [
        ("AbC+d/eF==", {}),
        ("2026", {"typ": "at+jwt"}),
        ("2026", {"typ": "application/at+jwt"}),
        ("2026", {"typ": "application/JWT"}),
        ("2026", {"x5t": "AbC-d_eF", "x5t#S256": "AbC-d_eF"}),
    ],
)
async def test_a_header_that_a_foreign_issuer_may_write_is_accepted(
    kid: str, headers: dict[str, str]
) -> None:
    clock = Clock()
    key = SIGNING_KEYS["EdDSA"]
    publisher = FakeIssuer()
    publisher.keys = [jwk_of(key.public_key(), kid)]
    source = JwksKeys(OIDC, "", publisher.fetch, clock)
    issuer = TrustedIssuer(name=OIDC, audience=AUDIENCE, key_source=source)
    tokens = TokenVerifier([issuer], nothing_revoked(), clock)
    token = signed(key, clock, kid=kid, issuer=OIDC, headers=headers)
    assert (await tokens.verify(token, "")).role == "head"


async def test_each_issuer_has_only_its_own_keys_audience_and_algorithms() -> None:
    clock = Clock()
    partner_name = "https://id.dinas.example"
    staff_key = Ed25519PrivateKey.generate()
    partner_key = SIGNING_KEYS["ES256"]
    staff = FakeIssuer()
    partner = FakeIssuer()
    staff.keys = [jwk_of(staff_key.public_key(), "k")]
    partner.keys = [jwk_of(partner_key.public_key(), "k")]

    async def grants_of(issuer: str, external: str, _: str) -> Identity:
        return Identity(subject=f"{issuer}/{external}", role="kanwil")

    tokens = TokenVerifier(
        [
            TrustedIssuer(
                name=OIDC,
                audience=AUDIENCE,
                key_source=JwksKeys(OIDC, f"{OIDC}/keys", staff.fetch, clock),
                algorithms=frozenset({"EdDSA"}),
                resolve_identity=grants_of,
            ),
            TrustedIssuer(
                name=partner_name,
                audience="bina-partner",
                key_source=JwksKeys(partner_name, f"{partner_name}/keys", partner.fetch, clock),
                resolve_identity=grants_of,
            ),
        ],
        nothing_revoked(),
        clock,
    )
    of_staff = signed(staff_key, clock, issuer=OIDC)
    of_partner = signed(
        partner_key, clock, algorithm="ES256", issuer=partner_name, aud="bina-partner"
    )
    assert (await tokens.verify(of_staff, "")).subject == f"{OIDC}/officer"
    assert (await tokens.verify(of_partner, "")).subject == f"{partner_name}/officer"
    for bad in (
        signed(staff_key, clock, issuer=partner_name, aud="bina-partner"),
        signed(partner_key, clock, algorithm="ES256", issuer=OIDC),
        signed(staff_key, clock, issuer=OIDC, aud="bina-partner"),
        signed(partner_key, clock, algorithm="ES256", issuer=partner_name),
    ):
        with pytest.raises(TokenRefused):
            await tokens.verify(bad, "")
    staff.away = True
    assert (
        await tokens.verify(
            signed(
                partner_key,
                clock,
                algorithm="ES256",
                issuer=partner_name,
                aud="bina-partner",
                jti="t-2",
            ),
            "",
        )
    ).role == "kanwil"


async def test_a_discovery_document_that_names_another_issuer_gives_no_keys() -> None:
    clock = Clock()
    publisher = FakeIssuer()
    publisher.issuer = "https://other.example"
    with pytest.raises(IssuerUnavailable):
        await JwksKeys(OIDC, "", publisher.fetch, clock).find("2026", "EdDSA")


async def test_a_new_key_is_found_at_once_and_the_old_one_until_it_is_gone() -> None:
    clock = Clock()
    publisher = FakeIssuer()
    old = Ed25519PrivateKey.generate().public_key()
    new = Ed25519PrivateKey.generate().public_key()
    keys = JwksKeys(OIDC, f"{OIDC}/keys", publisher.fetch, clock)
    publisher.keys = [jwk_of(old, "2026")]
    assert await keys.find("2026", "EdDSA")
    publisher.keys = [jwk_of(old, "2026"), jwk_of(new, "2027")]
    clock.now += RETRY_SECONDS
    assert await keys.find("2027", "EdDSA")
    assert await keys.find("2026", "EdDSA")
    publisher.keys = [jwk_of(new, "2027")]
    clock.now += FRESH_SECONDS + 1
    assert await keys.find("2026", "EdDSA") is None


async def test_known_keys_serve_through_an_outage_of_the_issuer_for_a_day() -> None:
    clock = Clock()
    publisher = FakeIssuer()
    publisher.keys = [jwk_of(Ed25519PrivateKey.generate().public_key(), "2026")]
    keys = JwksKeys(OIDC, f"{OIDC}/keys", publisher.fetch, clock)
    assert await keys.find("2026", "EdDSA")
    publisher.away = True
    clock.now += STALE_SECONDS
    assert await keys.find("2026", "EdDSA")
    clock.now += 1
    with pytest.raises(IssuerUnavailable):
        await keys.find("2026", "EdDSA")
    publisher.away = False
    clock.now += RETRY_SECONDS
    assert await keys.find("2026", "EdDSA")


async def test_an_issuer_that_hangs_holds_up_nobody_whose_key_is_known() -> None:
    clock = Clock()
    publisher = FakeIssuer()
    publisher.keys = [jwk_of(Ed25519PrivateKey.generate().public_key(), "2026")]
    keys = JwksKeys(OIDC, f"{OIDC}/keys", publisher.fetch, clock)
    assert await keys.find("2026", "EdDSA")
    publisher.gate.clear()
    clock.now += FRESH_SECONDS + 1
    began = time.monotonic()
    async with asyncio.timeout(5):
        assert all(await asyncio.gather(*(keys.find("2026", "EdDSA") for _ in range(20))))
        assert await keys.find("2026", "EdDSA")
    assert time.monotonic() - began < 2 * REFRESH_WAIT_SECONDS
    assert len(publisher.asked) == 2
    publisher.gate.set()


async def test_many_who_wait_for_keys_ask_the_issuer_once() -> None:
    clock = Clock()
    publisher = FakeIssuer()
    publisher.keys = [jwk_of(Ed25519PrivateKey.generate().public_key(), "2026")]
    publisher.gate.clear()
    keys = JwksKeys(OIDC, f"{OIDC}/keys", publisher.fetch, clock)
    waiting = [asyncio.create_task(keys.find("2026", "EdDSA")) for _ in range(50)]
    await eventually(publisher.was_asked)
    publisher.gate.set()
    assert all(await asyncio.gather(*waiting))
    assert len(publisher.asked) == 1


async def test_an_unknown_key_id_causes_one_fetch_only() -> None:
    clock = Clock()
    publisher = FakeIssuer()
    publisher.keys = [jwk_of(Ed25519PrivateKey.generate().public_key(), "2026")]
    keys = JwksKeys(OIDC, f"{OIDC}/keys", publisher.fetch, clock)
    for number in range(100):
        assert await keys.find(f"made-up-{number}", "EdDSA") is None
    assert len(publisher.asked) == 1
    clock.now += RETRY_SECONDS
    assert await keys.find("made-up-0", "EdDSA") is None
    assert len(publisher.asked) == 1
    clock.now += NEGATIVE_CACHE_SECONDS
    assert await keys.find("made-up-0", "EdDSA") is None
    assert len(publisher.asked) == 2


async def test_a_key_serves_only_the_algorithm_of_its_kind() -> None:
    clock = Clock()
    publisher = FakeIssuer()
    small = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505 - that is the point
    publisher.keys = [
        jwk_of(rsa.generate_private_key(65537, 2048).public_key(), "rsa"),
        jwk_of(ec.generate_private_key(ec.SECP384R1()).public_key(), "p384"),
        jwk_of(Ed25519PrivateKey.generate().public_key(), "for-encryption", use="enc"),
        jwk_of(small, "small"),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
    ]
    keys = JwksKeys(OIDC, f"{OIDC}/keys", publisher.fetch, clock)
    assert await keys.find("rsa", "RS256")
    for kid, algorithm in (
        ("rsa", "ES256"),
        ("p384", "ES256"),
        ("for-encryption", "EdDSA"),
        ("small", "RS256"),
        ("shared", "HS256"),
    ):
        assert await keys.find(kid, algorithm) is None


async def test_a_revocation_covers_tokens_of_an_issuer_whose_clock_is_ahead() -> None:
    clock = Clock()
    key = Ed25519PrivateKey.generate()
    withdrawn = nothing_revoked()
    tokens = TokenVerifier(
        [
            TrustedIssuer(
                name=OIDC, audience=AUDIENCE, key_source=StaticKeys({"k": key.public_key()})
            )
        ],
        withdrawn,
        clock,
    )
    seen, unseen = (
        signed(key, clock, issuer=OIDC, iat=clock.now + MAX_EARLY_SECONDS, jti=jti)
        for jti in ("t-1", "t-2")
    )
    assert (await tokens.verify(seen, "")).subject == "officer"
    withdrawn.replace_all([], [("officer", clock.now)])
    clock.now += MAX_EARLY_SECONDS
    for token in (seen, unseen):
        with pytest.raises(TokenRefused):
            await tokens.verify(token, "")
    assert (
        await tokens.verify(signed(key, clock, issuer=OIDC, iat=clock.now + MAX_EARLY_SECONDS), "")
    ).subject == "officer"


@pytest.mark.parametrize(
    "document",
    [
        "[" * 100_000,
        '{"keys": ' + "[" * 100_000,
        '{"keys": {}}',
        '{"keys": [1, null, {"kid": "k", "kty": ["RSA"]}]}',
    ],
)
async def test_keys_that_cannot_be_read_are_none_and_no_defect(
    tmp_path: Path, document: str
) -> None:
    async def nonsense(_scope: Any, _receive: Any, send: Any) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": document.encode()})

    async with running_gateway(tmp_path, oidc=OIDC) as harness:
        harness.upstream.answers["/keys"] = nonsense
        clock = Clock()
        clock.now = time.time()
        token = signed(Ed25519PrivateKey.generate(), clock, issuer=OIDC)
        response = await harness.ask(
            "GET",
            "/v1/classes",
            headers={"authorization": f"Bearer {token}"},
        )
        assert (response.status, response.content["code"]) == (503, "identity_away")


async def test_an_issuer_out_of_reach_is_503_and_says_when_to_come_back(tmp_path: Path) -> None:
    issuers = [{"issuer": OIDC, "audience": AUDIENCE, "jwks_uri": "http://127.0.0.1:9/keys"}]
    async with running_gateway(tmp_path, issuers=issuers) as harness:
        clock = Clock()
        clock.now = time.time()
        token = signed(Ed25519PrivateKey.generate(), clock, issuer=OIDC)
        response = await harness.ask(
            "GET",
            "/v1/classes",
            headers={"authorization": f"Bearer {token}"},
        )
        assert (response.status, response.content["code"], response.headers["retry-after"]) == (
            503,
            "identity_away",
            "5",
        )
