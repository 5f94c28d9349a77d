"""A client of the gateway, one per role, as a person's program would be. Not here: what is asked, and why."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Self, TypeVar, cast

import aiohttp

from gateway.authn.dev_issuer import issue_development_token
from ops.local import state_dir, topology

R = TypeVar("R")
EVENTUALLY_SECONDS = 40.0
ACCEPTED_STATUSES = (200, 201, 202)


class UnexpectedAnswer(Exception):
    """An answer that the story does not expect; the problem's own words are shown."""

    def __init__(self, request: str, status: int, answer: Any) -> None:
        told: Mapping[str, Any] = (
            cast("Mapping[str, Any]", answer) if isinstance(answer, dict) else {}
        )
        super().__init__(
            f"{request}: {status} {told.get('code', '')} {told.get('title', '')} {told.get('detail', '')}".strip()
        )


class Answer:
    """Status, headers and body of one answer."""

    def __init__(self, status: int, headers: Mapping[str, str], body: Any) -> None:
        self.status, self.headers, self.body = status, headers, body


class GatewayClient:
    """The gateway's doors on this machine. `None` as role comes in without a token."""

    def __init__(self) -> None:
        self._key = (
            state_dir.path() / "secrets" / topology.GATEWAY.name / "gateway_development_key"
        ).read_text(encoding="utf-8")
        self._addresses = topology.gateway_addresses()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        if self._session is not None:
            await self._session.close()

    def address_of(self, host: str) -> str:
        """Where a host group is reached from this machine."""
        return self._addresses[host]

    def caller(
        self, role: str | None, host: str = "staff", subject: str | None = None, **claims: str
    ) -> GatewayCaller:
        """A person in this role at that door."""
        token = (
            None
            if role is None
            else issue_development_token(
                self._key, role, {name: [value] for name, value in claims.items()}, subject=subject
            )
        )
        return GatewayCaller(self, host, token)

    async def request(
        self, host: str, method: str, path: str, headers: Mapping[str, str], body: Any
    ) -> Answer:
        """One request."""
        if self._session is None:
            raise RuntimeError("the door is closed")
        content: dict[str, Any] = (
            {"data": body} if isinstance(body, bytes) else {} if body is None else {"json": body}
        )
        async with self._session.request(
            method,
            self._addresses[host] + path,
            headers=dict(headers),
            allow_redirects=False,
            **content,
        ) as answer:
            raw = await answer.read()
            kind = answer.headers.get("content-type", "")
            parsed: Any = (
                json.loads(raw) if "json" in kind or kind.startswith("application/vc") else raw
            )
            return Answer(answer.status, answer.headers, parsed)


class GatewayCaller:
    """One person at one door."""

    def __init__(self, client: GatewayClient, host: str, token: str | None) -> None:
        self._client, self._host = client, host
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    async def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """An answer of any status. A POST carries an Idempotency-Key, so that a repeat after a lost answer is safe."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        if method == "POST":
            more.setdefault("idempotency-key", str(uuid.uuid4()))
        return await self._client.request(self._host, method, path, self._headers | more, body)

    async def request_expecting(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        expect: Sequence[int] = ACCEPTED_STATUSES,
        **headers: str,
    ) -> Any:
        """The body of an expected answer; Unexpected otherwise."""
        answer = await self.request(method, path, body, **headers)
        if answer.status not in expect:
            raise UnexpectedAnswer(f"{method} {path}", answer.status, answer.body)
        return answer.body

    async def get(self, path: str) -> Any:
        """GET."""
        return await self.request_expecting("GET", path)

    async def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """POST."""
        return await self.request_expecting("POST", path, body, expect=ACCEPTED_STATUSES, **headers)

    async def list_all(self, path: str) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        items: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = await self.get(
                f"{path}{'&' if '?' in path else '?'}limit=200{f'&cursor={cursor}' if cursor else ''}"
            )
            items += page["items"]
            cursor = page.get("next_cursor")
            if not cursor:
                return items


async def eventually(description: str, probe: Callable[[], Awaitable[R | None]]) -> R:
    """The first answer that is there; TimeoutError names what did not come."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + EVENTUALLY_SECONDS
    while True:
        found = await probe()
        if found:
            return found
        if loop.time() > deadline:
            raise TimeoutError(description)
        await asyncio.sleep(0.2)
