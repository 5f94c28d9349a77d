"""Asking another service's internal query, outside transactions, with a token bound to that very question. Not here: what is asked."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, cast

import aiohttp
import stamina

from chassis import telemetry
from chassis.errors import Busy, Refused
from chassis.http.internal_tokens import InternalTokenSigner


class ServiceUnavailable(Busy):
    """Another part of the system does not answer now."""

    code = "peer_away"
    title = "Bagian lain dari sistem sedang tidak menjawab; coba lagi sebentar lagi"


class ServiceRefused(Refused):
    """Another part of the system will not answer this question; `status` and its problem code are facts of the error."""

    code = "peer_refused"
    title = "Bagian lain dari sistem menolak permintaan ini"


class ServiceClient:
    """One other service. Never use it inside a transaction."""

    def __init__(
        self, name: str, base_url: str, signer: InternalTokenSigner, *, seconds: float = 5.0
    ) -> None:
        self.name, self._base, self._signer, self._seconds = (
            name,
            base_url.rstrip("/"),
            signer,
            seconds,
        )
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self, method: str, path: str, *, purpose: str, on_behalf_of: str, body: Any = None
    ) -> Any:
        """The JSON answer; its audit names the subject on whose behalf we ask. ServiceUnavailable after three tries or the deadline; ServiceRefused for any answer from 400 to 499."""
        try:
            async for attempt in stamina.retry_context(
                on=(aiohttp.ClientError, TimeoutError),
                attempts=3,
                timeout=self._seconds,
                wait_initial=0.05,
                wait_max=0.5,
            ):
                with attempt:
                    return await self._once(
                        method,
                        path,
                        self._signer.for_service(self.name, method, path, purpose, on_behalf_of),
                        body,
                    )
        except (aiohttp.ClientError, TimeoutError, ValueError):
            raise ServiceUnavailable from None
        raise AssertionError("unreachable")

    async def _once(self, method: str, path: str, token: str, body: Any) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._seconds)
            )
        headers = {
            "authorization": f"Bearer {token}",
            "traceparent": telemetry.current_traceparent(),
        }
        async with self._session.request(
            method,
            self._base + path,
            json=body,
            headers={name: value for name, value in headers.items() if value},
        ) as answer:
            if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                answer.raise_for_status()
            content: Any = await answer.json(content_type=None)
            if answer.status >= HTTPStatus.BAD_REQUEST:
                raise ServiceRefused(
                    peer=self.name,
                    peer_status=answer.status,
                    peer_code=cast("dict[str, Any]", content).get("code", "")
                    if isinstance(content, dict)
                    else "",
                )
            return content

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)
