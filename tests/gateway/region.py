"""A gateway with a database, an OIDC issuer and administrators. Not here: tests."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.http.internal_tokens import InternalTokenVerifier
from chassis.ids import new_id
from gateway.access.jwk import public_jwk
from gateway.access.permissions import ROLE_PERMISSIONS, RolePermissions
from gateway.authn.dev_issuer import AUDIENCE
from gateway.routing import parser
from tests.fakes import AsgiClient, Keys, eventually
from tests.gateway.harness import RULES, GatewayHarness, GatewayResponse, fixed, running_gateway

TODAY = datetime.now(UTC)


FILE = Path(parser.__file__).with_name("routes.toml")


OIDC = "https://id.example/realms/region"


class RegionHarness:
    """A gateway with its database, an OIDC issuer whose key we hold, and the internal API."""

    def __init__(self, harness: GatewayHarness) -> None:
        self.harness = harness
        self.key = Ed25519PrivateKey.generate()
        jwk = public_jwk(self.key.public_key())
        self.kid = jwk["kid"]
        harness.upstream.answers["/keys"] = fixed(200, {"keys": [jwk]})
        self._inside = AsgiClient(harness.gateway.internal_api, harness.keys, "gateway")

    def bearer(
        self, external: str, *, jti: str = "t-1", issued: float | None = None
    ) -> dict[str, str]:
        """Return the Authorization header with a token of the OIDC issuer."""
        now = time.time() if issued is None else issued
        content = {
            "iss": OIDC,
            "aud": AUDIENCE,
            "sub": external,
            "iat": now,
            "exp": now + 600,
            "jti": jti,
            "role": "administrator",
        }
        header = {"kid": self.kid}
        token = jwt.encode(content, self.key, algorithm="EdDSA", headers=header)
        return {"authorization": f"Bearer {token}"}

    async def internal_request(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        method: str = "PUT",
        service: str = "manpower",
        purpose: str = "manage-access",
    ) -> httpx2.Response:
        """Send a request of a service to the internal API."""
        return await self._inside.asked_by(service, method, path, purpose=purpose, json=body or {})

    async def user(self, external: str) -> str:
        """Register a user and return the id."""
        return (
            await self.internal_request("/internal/users", {"issuer": OIDC, "external": external})
        ).json()["user_id"]

    async def grant(
        self,
        user_id: str,
        role: str = "dinas_placement",
        *,
        days: tuple[int, int] = (-1, 1),
        reference: str = "",
        **claims: list[str],
    ) -> httpx2.Response:
        """Write a grant as manpower does, from `days[0]` to `days[1]` days from today."""
        first, last = (TODAY + timedelta(days=day) for day in days)
        body = {
            "user_id": user_id,
            "role": role,
            "claims": claims or {"regency": ["19.02"]},
            "valid_from": first.isoformat(),
            "valid_until": last.isoformat(),
        }
        return await self.internal_request(f"/internal/grants/{reference or new_id()}", body)


async def known(harness: GatewayHarness) -> bool:
    """Return whether the revocations were loaded."""
    return harness.withdrawn.is_loaded


@pytest.fixture
async def office(tmp_path: Path, mongo_url: str, database: str) -> AsyncGenerator[OfficeHarness]:
    """Start a gateway with the real routes and roles, and administrators."""
    url = Keys.make(tmp_path).settings("gateway", mongo_url=mongo_url, database=database, kafka="")[
        "mongo_url"
    ]
    async with running_gateway(
        tmp_path, FILE.read_text(), ROLE_PERMISSIONS, oidc=OIDC, living=True, mongo_url=url
    ) as harness:
        await eventually(lambda: known(harness), seconds=30)
        yield OfficeHarness(harness)


def caller_of(office: OfficeHarness, service: str = "training") -> Any:
    """Return the caller in the internal token of the last request."""
    return InternalTokenVerifier(service, office.harness.keys.directory).caller(
        office.harness.upstream.last.headers["authorization"].removeprefix("Bearer ")
    )


DINAS = RolePermissions(
    dict(RULES.by_service)
    | {
        "training": dict(RULES.by_service["training"])
        | {"dinas_placement": frozenset({"GET /v1/classes"})}
    }
)


class OfficeHarness(RegionHarness):
    """A gateway with the real routes and roles, and its administrators."""

    async def admin(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        facility: str = "LP-TJP",
        subject: str = "admin",
        role: str = "administrator",
        **more: Any,
    ) -> GatewayResponse:
        """Send a request as an administrator."""
        return await self.harness.ask(
            method,
            f"/v1/access/{path}",
            headers=self.harness.bearer(role, subject, facility=facility) | more.pop("headers", {}),
            json=body,
            **more,
        )

    async def person(self, external: str, home: str = "LP-TJP") -> str:
        """Register a person and return the user id."""
        return (
            await self.admin(
                "PUT", "users", {"issuer": OIDC, "external": external, "home": home}, facility=home
            )
        ).content["user_id"]

    async def assigned(
        self,
        user_id: str,
        role: str,
        *,
        days: tuple[int, int] = (-1, 30),
        facility: str = "LP-TJP",
        **more: Any,
    ) -> GatewayResponse:
        """Create a grant that is valid for these days, counted from today."""
        first, last = ((TODAY + timedelta(days=day)).isoformat() for day in days)
        body = {
            "user_id": user_id,
            "role": role,
            "claims": {"facility": [facility]},
            "valid_from": first,
            "valid_until": last,
        } | more
        return await self.admin("POST", "grants", body, facility=facility)

    async def of_kanwil(self, user_id: str) -> GatewayResponse:
        """Make a user an officer of the Kanwil, as an administrator of all places does."""
        return await self.assigned(user_id, "kanwil", facility="*")
