"""An HTTP client of the local gateway that sends requests as a user in any role.

Not here: what is requested, and why.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Self, TypeVar, cast

import aiohttp

from gateway.authn.dev_issuer import issue_development_token
from ops.language import choose
from ops.local import state_dir, topology

R = TypeVar("R")
EVENTUALLY_SECONDS = 40.0
_POLL_SECONDS = 0.2
_TIMEOUT_SECONDS = 60
_PAGE_SIZE = 200
ACCEPTED_STATUSES = (200, 201, 202)


class UnexpectedAnswer(Exception):
    """A response with an unexpected status; the text has the code and title of its problem."""

    def __init__(self, request: str, status: int, answer: Any) -> None:
        problem: Mapping[str, Any] = {}
        if isinstance(answer, dict):
            problem = cast("Mapping[str, Any]", answer)
        text = " ".join(str(problem.get(name, "")) for name in ("code", "title", "detail"))
        super().__init__(f"{request}: {status} {text}".strip())


class Answer:
    """Status, headers and body of one response."""

    def __init__(self, status: int, headers: Mapping[str, str], body: Any) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class GatewayClient:
    """The gateway on this machine, with all its host groups."""

    def __init__(self) -> None:
        secrets = state_dir.path() / "secrets" / topology.GATEWAY.name
        self._key = (secrets / "gateway_development_key").read_text(encoding="utf-8")
        self._addresses = topology.gateway_addresses()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    def address_of(self, host: str) -> str:
        """Return the address of a host group on this machine."""
        return self._addresses[host]

    def caller(
        self, role: str | None, host: str = "staff", subject: str | None = None, **claims: str
    ) -> GatewayCaller:
        """Return a user in this role at a host group; a role of None sends no token."""
        if role is None:
            return GatewayCaller(self, host, None)
        values = {name: [value] for name, value in claims.items()}
        token = issue_development_token(self._key, role, values, subject=subject)
        return GatewayCaller(self, host, token)

    async def request(
        self, host: str, method: str, path: str, headers: Mapping[str, str], body: Any
    ) -> Answer:
        """Send one request; bytes are sent as they are, other bodies as JSON."""
        if self._session is None:
            raise RuntimeError("the client is not open")
        content: dict[str, Any] = {}
        if isinstance(body, bytes):
            content = {"data": body}
        elif body is not None:
            content = {"json": body}
        async with self._session.request(
            method,
            self._addresses[host] + path,
            headers=dict(headers),
            allow_redirects=False,
            **content,
        ) as answer:
            raw = await answer.read()
            kind = answer.headers.get("content-type", "")
            is_json = "json" in kind or kind.startswith("application/vc")
            return Answer(answer.status, answer.headers, json.loads(raw) if is_json else raw)


class GatewayCaller:
    """One user at one host group."""

    def __init__(self, client: GatewayClient, host: str, token: str | None) -> None:
        self._client = client
        self._host = host
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    async def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Return the response, whatever its status.

        A POST carries an Idempotency-Key, so that repeating it after a lost response is safe.
        """
        more = {"accept-language": choose("id", "en")}
        more |= {name.replace("_", "-"): value for name, value in headers.items()}
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
        """Return the body of the response. Raises UnexpectedAnswer for a status not expected."""
        answer = await self.request(method, path, body, **headers)
        if answer.status not in expect:
            raise UnexpectedAnswer(f"{method} {path}", answer.status, answer.body)
        return answer.body

    async def get(self, path: str) -> Any:
        """Return the body of the response to a GET."""
        return await self.request_expecting("GET", path)

    async def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """Return the body of the response to a POST."""
        return await self.request_expecting("POST", path, body, expect=ACCEPTED_STATUSES, **headers)

    async def list_all(self, path: str) -> list[dict[str, Any]]:
        """Return all items of a list, read page by page."""
        items: list[dict[str, Any]] = []
        first = f"{path}{'&' if '?' in path else '?'}limit={_PAGE_SIZE}"
        page = await self.get(first)
        items += page["items"]
        while cursor := page.get("next_cursor"):
            page = await self.get(f"{first}&cursor={cursor}")
            items += page["items"]
        return items


async def eventually(description: str, probe: Callable[[], Awaitable[R | None]]) -> R:
    """Call the probe until its result is true, and return that.

    Raises TimeoutError with the description after EVENTUALLY_SECONDS.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + EVENTUALLY_SECONDS
    while True:
        answer = await probe()
        if answer:
            return answer
        if loop.time() > deadline:
            raise TimeoutError(description)
        await asyncio.sleep(_POLL_SECONDS)
