"""The client of another service's internal queries.

Each request carries a token for its method, path and purpose. Not here: any query.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, cast

import aiohttp
import stamina

from chassis import telemetry
from chassis.errors import Busy, Refused
from chassis.http.internal_tokens import InternalTokenSigner
from chassis.texts import TEXTS

ATTEMPTS = 3


class ServiceUnavailable(Busy):
    """Another service does not answer now."""

    code = "peer_away"
    title = TEXTS["errors.peer_away"]


class ServiceRefused(Refused):
    """Another service refuses the query; its status and problem code are facts of the error."""

    code = "peer_refused"
    title = TEXTS["errors.peer_refused"]


class ServiceClient:
    """The client of one other service; must not be used inside a transaction."""

    def __init__(
        self, name: str, base_url: str, signer: InternalTokenSigner, *, seconds: float = 5.0
    ) -> None:
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._signer = signer
        self._seconds = seconds
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self, method: str, path: str, *, purpose: str, on_behalf_of: str, body: Any = None
    ) -> Any:
        """Return the JSON response; the other service's audit names the subject `on_behalf_of`.

        Raises ServiceUnavailable after three attempts or at the deadline, ServiceRefused for a
        status from 400 to 499.
        """
        try:
            async for attempt in stamina.retry_context(
                on=(aiohttp.ClientError, TimeoutError),
                attempts=ATTEMPTS,
                timeout=self._seconds,
                wait_initial=0.05,
                wait_max=0.5,
            ):
                with attempt:
                    token = self._signer.for_service(self.name, method, path, purpose, on_behalf_of)
                    return await self._send(method, path, token, body)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            raise ServiceUnavailable from None
        raise AssertionError("unreachable")

    async def _send(self, method: str, path: str, token: str, body: Any) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._seconds)
            )
        headers = {"authorization": f"Bearer {token}"}
        traceparent = telemetry.current_traceparent()
        if traceparent:
            headers["traceparent"] = traceparent
        url = self._base_url + path
        async with self._session.request(method, url, json=body, headers=headers) as answer:
            if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                answer.raise_for_status()
            content: Any = await answer.json(content_type=None)
            if answer.status >= HTTPStatus.BAD_REQUEST:
                code = ""
                if isinstance(content, dict):
                    code = cast("dict[str, Any]", content).get("code", "")
                raise ServiceRefused(peer=self.name, peer_status=answer.status, peer_code=code)
            return content

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)
