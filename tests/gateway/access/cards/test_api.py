"""Cards and PINs of holders, on the certificate host."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import jwt
import pytest

from chassis.http.internal_tokens import InternalTokenVerifier
from chassis.texts import is_neutral
from gateway.access.permissions import ROLE_PERMISSIONS, RolePermissions
from gateway.host_group import Group
from tests.fakes import Keys, eventually
from tests.gateway.harness import GatewayResponse, new_key, running_gateway
from tests.gateway.installation import InstallationHarness
from tests.gateway.region import FILE, known

PAPERS = """
[[certification]]
hosts = ["certificate"]
paths = ["GET /v1/papers"]
"""
OWN = RolePermissions(
    dict(ROLE_PERMISSIONS.by_service)
    | {
        "certification": dict(ROLE_PERMISSIONS.by_service["certification"])
        | {"holder": frozenset({"GET /v1/papers"})}
    }
)


class CardsHarness(InstallationHarness):
    """An installation that issues cards, and a route for holders like certification's."""

    async def card(self, reference: str = "p-1") -> dict[str, str]:
        """Issue a card and return it with its PIN."""
        response = await self.internal_request(
            f"/internal/cards/{reference}",
            {"own": [reference]},
            service="certification",
            purpose="give-card",
        )
        assert response.status_code == 200, response.text
        return response.json()

    async def holder(
        self, method: str, path: str, body: Any = None, token: str = ""
    ) -> GatewayResponse:
        """Send a request to the certificate host."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return await self.harness.ask(
            method, path, group=Group.CERTIFICATE, headers=headers, json=body
        )

    async def sign_in(self, card: dict[str, str], pin: str = "") -> GatewayResponse:
        """Sign in with a card and a PIN, the card's own by default."""
        return await self.holder(
            "POST", "/v1/holder/sign-in", {"card": card["card"], "pin": pin or card["pin"]}
        )


@pytest.fixture
async def cards(tmp_path: Path, mongo_url: str, database: str) -> AsyncGenerator[CardsHarness]:
    """Start a gateway that issues cards."""
    url = Keys.make(tmp_path).settings("gateway", mongo_url=mongo_url, database=database, kafka="")[
        "mongo_url"
    ]
    async with running_gateway(
        tmp_path, FILE.read_text() + PAPERS, OWN, living=True, mongo_url=url, issuer_key=new_key()
    ) as harness:
        await eventually(lambda: known(harness), seconds=30)
        yield CardsHarness(harness)


def wrong(pin: str) -> str:
    """Return another PIN."""
    return f"{(int(pin) + 1) % 1_000_000:06d}"


async def test_a_holder_signs_in_with_card_and_pin_for_their_own_papers(
    cards: CardsHarness,
) -> None:
    card = await cards.card()
    response = await cards.sign_in(card, card["pin"])
    assert response.status == 200
    token = response.content["access_token"]
    assert (await cards.holder("GET", "/v1/papers", token=token)).status == 200
    caller = InternalTokenVerifier("certification", cards.harness.keys.directory).caller(
        cards.harness.upstream.last.headers["authorization"].removeprefix("Bearer ")
    )
    assert (caller.role, caller.claims) == ("holder", {"own": frozenset({"p-1"})})
    for path in ("/v1/classes", "/v1/candidates", "/v1/certificates", "/v1/me/sessions"):
        assert (
            await cards.harness.ask("GET", path, headers={"authorization": f"Bearer {token}"})
        ).status == 403, path
    assert (await cards.holder("POST", "/v1/holder/sign-out", token=token)).status == 204

    async def out() -> bool:
        return (await cards.holder("GET", "/v1/papers", token=token)).status == 401

    await eventually(out)


async def test_five_wrong_pins_lock_a_card_until_it_is_issued_again(
    cards: CardsHarness,
) -> None:
    card = await cards.card()
    answers = [await cards.sign_in(card, wrong(card["pin"])) for _ in range(5)]
    answers += [
        await cards.sign_in(card),
        await cards.sign_in({"card": "AAAA-BBBB-CCCC", "pin": "000000"}),
    ]
    assert {(one.status, json.dumps(one.content | {"request_id": ""})) for one in answers} == {
        (401, json.dumps(answers[0].content | {"request_id": ""}))
    }
    for role, status in (
        ("head_of_security", 403),
        ("employer", 403),
        ("training_officer", 403),
        ("bapas", 200),
    ):
        renewed = await cards.harness.ask(
            "POST",
            "/v1/access/cards/pin",
            headers=cards.harness.bearer(role),
            json={"card": card["card"]},
        )
        assert renewed.status == status
    assert (await cards.sign_in(card, renewed.content["pin"])).status == 200
    assert (
        await cards.harness.ask(
            "POST",
            "/v1/access/cards/pin",
            headers=cards.harness.bearer("bapas"),
            json={"card": "AAAA-BBBB-CCCC"},
        )
    ).status == 404


async def test_four_wrong_pins_are_forgotten_by_a_right_one(cards: CardsHarness) -> None:
    card = await cards.card()
    for _ in range(2):
        for _ in range(4):
            assert (await cards.sign_in(card, wrong(card["pin"]))).status == 401
        assert (await cards.sign_in(card)).status == 200


async def test_a_card_issued_again_replaces_the_lost_one(
    cards: CardsHarness,
) -> None:
    lost = await cards.card()
    token = (await cards.sign_in(lost)).content["access_token"]
    fresh = await cards.card()
    assert (await cards.sign_in(lost)).status == 401
    assert (await cards.sign_in(fresh)).status == 200

    async def out() -> bool:
        return (await cards.holder("GET", "/v1/papers", token=token)).status == 401

    await eventually(out)
    assert (
        await cards.internal_request(
            "/internal/cards/p-1", {"own": ["p-1"]}, service="manpower", purpose="give-card"
        )
    ).status_code == 403


async def test_no_byte_that_a_holder_gets_names_prison_or_product(cards: CardsHarness) -> None:
    card = await cards.card()
    response = await cards.sign_in(card)
    refused = await cards.sign_in(card, wrong(card["pin"]))
    token = response.content["access_token"]
    content = jwt.decode(token, options={"verify_signature": False}) | jwt.get_unverified_header(
        token
    )
    for one in (response, refused):
        assert is_neutral(json.dumps(one.headers)), one.headers
        assert is_neutral(one.body.decode())
    assert is_neutral(json.dumps(content)), content
    document = await cards.holder("GET", "/openapi.json")
    assert {"/v1/holder/sign-in", "/v1/holder/sign-out"} <= document.content["paths"].keys()
    assert is_neutral(document.body.decode())


async def test_nothing_of_card_or_pin_is_kept_readable_or_audited(cards: CardsHarness) -> None:
    card = await cards.card()
    await cards.sign_in(card)
    stored = json.dumps([await cards.db.find(name, {}) for name in ("cards", "audit")], default=str)
    assert card["card"] not in stored
    assert card["card"].replace("-", "") not in stored
    assert f'"{card["pin"]}"' not in stored
