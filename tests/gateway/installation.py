"""An installation with the built-in issuer, and its people. Not here: tests."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from chassis.persistence.mongo import Mongo
from tests.gateway.authenticator import encoded
from tests.gateway.harness import GatewayHarness, GatewayResponse
from tests.gateway.region import OfficeHarness

PASSWORD = "kuda-laut biru 19"
FORM = {"content-type": "application/x-www-form-urlencoded"}
NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


class InstallationHarness(OfficeHarness):
    """A gateway whose people sign in at its built-in issuer."""

    def __init__(self, harness: GatewayHarness) -> None:
        super().__init__(harness)
        self.origin = f"http://staff.localhost:{harness.port}"

    @property
    def db(self) -> Mongo:
        """The gateway's own database."""
        return self.harness.gateway.internal_api.state.life.db

    async def post(
        self, path: str, body: Any, *, method: str = "POST", headers: dict[str, str] | None = None
    ) -> GatewayResponse:
        """Send a request with a JSON body."""
        return await self.harness.ask(method, path, json=body, headers=headers or {})

    async def form(
        self, path: str, headers: dict[str, str] | None = None, /, **response: str
    ) -> GatewayResponse:
        """Send a form to an OAuth endpoint."""
        return await self.harness.ask(
            "POST", f"/v1/oauth/{path}", data=urlencode(response), headers=FORM | (headers or {})
        )

    async def enrolled(
        self, login: str = "siti.r", role: str = "training_officer", *, home: str = "LP-TJP"
    ) -> Person:
        """Enrol a person with a password, recovery codes and a grant.

        A person of an outside office has no home (""): administrators of all places register it.
        """
        place = home or "*"
        account = await self.admin(
            "PUT", "accounts", {"login": login, "home": home}, facility=place
        )
        user_id = account.content["user_id"]
        reset = await self.admin("POST", f"users/{user_id}/reset", facility=place)
        code = reset.content["code"]
        response = await self.post(
            "/v1/enrolment", {"login": login, "code": code, "password": PASSWORD}
        )
        assert response.status == 201, response.body
        assert (await self.assigned(user_id, role, facility=place)).status == 201
        return Person(self, login, user_id, response.content["codes"], response.content["familiar"])


@dataclass
class Person:
    """Somebody who signs in."""

    at: InstallationHarness
    login: str
    user_id: str
    codes: list[str]
    familiar: str
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(40))
    access: str = ""
    refresh: str = ""

    async def begin(self, password: str = PASSWORD, familiar: str = "") -> GatewayResponse:
        """Send the login and the password."""
        challenge = encoded(hashlib.sha256(self.verifier.encode()).digest())
        return await self.at.post(
            "/v1/sign-in",
            {
                "login": self.login,
                "password": password,
                "code_challenge": challenge,
                "familiar": familiar,
            },
        )

    async def prove(self, begun: GatewayResponse, **how: Any) -> GatewayResponse:
        """Send the second factor."""
        [(kind, body)] = how.items()
        return await self.at.post(f"/v1/sign-in/{begun.content['sign_in']}/{kind}", body)

    async def redeem(self, code: str, verifier: str = "") -> GatewayResponse:
        """Exchange an authorization code for tokens."""
        return await self.at.form(
            "token",
            grant_type="authorization_code",
            code=code,
            code_verifier=verifier or self.verifier,
        )

    async def sign_in(self, **how: Any) -> Person:
        """Sign in completely, with a recovery code unless `how` names another factor."""
        begun = await self.begin()
        response = await self.prove(begun, **(how or {"code": {"code": self.codes.pop()}}))
        tokens = (await self.redeem(response.content["code"])).content
        self.access = tokens["access_token"]
        self.refresh = tokens["refresh_token"]
        return self

    async def ask(
        self, method: str, path: str, body: Any = None, token: str = ""
    ) -> GatewayResponse:
        """Send a request with the access token."""
        return await self.at.post(
            path, body, method=method, headers={"authorization": f"Bearer {token or self.access}"}
        )

    async def refreshed(self, token: str = "", **headers: str) -> GatewayResponse:
        """Redeem a refresh token, the last one by default."""
        return await self.at.form(
            "token", headers, grant_type="refresh_token", refresh_token=token or self.refresh
        )


def same(one: GatewayResponse, other: GatewayResponse) -> bool:
    """Return whether two refusals are equal except for the request id."""
    return (one.status, one.content | {"request_id": ""}) == (
        other.status,
        other.content | {"request_id": ""},
    )


async def refused(person: Person, token: str = "") -> bool:
    """Return whether the access token is refused."""
    return (await person.ask("GET", "/v1/classes", token=token)).status == 401
