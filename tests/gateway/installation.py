"""An installation whose people sign in at our own issuer, and somebody who does. Not here: any test."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from chassis.persistence.mongo import Mongo
from tests.gateway.authenticator import encoded
from tests.gateway.harness import Stage, Told
from tests.gateway.test_access import Office

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
        return self.stage.door.internal_api.state.life.db

    async def post(
        self, path: str, body: Any, *, method: str = "POST", headers: dict[str, str] | None = None
    ) -> Told:
        """One request in JSON."""
        return await self.stage.ask(method, path, json=body, headers=headers or {})

    async def form(self, path: str, headers: dict[str, str] | None = None, /, **told: str) -> Told:
        """One request to an OAuth endpoint."""
        return await self.stage.ask(
            "POST", f"/v1/oauth/{path}", data=urlencode(told), headers=FORM | (headers or {})
        )

    async def enrolled(self, login: str = "siti.r", role: str = "training_officer") -> Person:
        """Somebody with a password, printed codes and a grant."""
        user_id = (await self.admin("PUT", "accounts", {"login": login, "home": "LP-TJP"})).content[
            "user_id"
        ]
        code = (await self.admin("POST", f"users/{user_id}/reset")).content["code"]
        told = await self.post(
            "/v1/enrolment", {"login": login, "code": code, "password": PASSWORD}
        )
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
        return await self.at.post(
            "/v1/sign-in",
            {
                "login": self.login,
                "password": password,
                "code_challenge": challenge,
                "familiar": familiar,
            },
        )

    async def prove(self, begun: Told, **how: Any) -> Told:
        """The second factor."""
        [(kind, body)] = how.items()
        return await self.at.post(f"/v1/sign-in/{begun.content['sign_in']}/{kind}", body)

    async def redeem(self, code: str, verifier: str = "") -> Told:
        """The tokens for an authorization code."""
        return await self.at.form(
            "token",
            grant_type="authorization_code",
            code=code,
            code_verifier=verifier or self.verifier,
        )

    async def sign_in(self, **how: Any) -> Person:
        """All of it; by a printed code unless told."""
        begun = await self.begin()
        told = await self.prove(begun, **(how or {"code": {"code": self.codes.pop()}}))
        tokens = (await self.redeem(told.content["code"])).content
        self.access, self.refresh = tokens["access_token"], tokens["refresh_token"]
        return self

    async def ask(self, method: str, path: str, body: Any = None, token: str = "") -> Told:
        """One request with the access token."""
        return await self.at.post(
            path, body, method=method, headers={"authorization": f"Bearer {token or self.access}"}
        )

    async def refreshed(self, token: str = "", **headers: str) -> Told:
        """The answer to a refresh token."""
        return await self.at.form(
            "token", headers, grant_type="refresh_token", refresh_token=token or self.refresh
        )


def same(one: Told, other: Told) -> bool:
    """Whether two refusals cannot be told apart."""
    return (one.status, one.content | {"request_id": ""}) == (
        other.status,
        other.content | {"request_id": ""},
    )


async def refused(person: Person, token: str = "") -> bool:
    """Whether the access token is worth nothing."""
    return (await person.ask("GET", "/v1/classes", token=token)).status == 401
