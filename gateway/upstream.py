"""The way to the services and back: bodies flow through both ways as they come, in constant memory. Not here: whether a request may go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from yarl import URL

from gateway import headers, passage
from gateway.attendance import Attendant, OpenStreams
from gateway.problems import ClientGone, ServiceAway, ServiceBroke

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from gateway.passage import Passage

CONNECT_SECONDS = 2.0
IDLE_SECONDS = 20.0  # shorter than the services keep a connection, so that none is taken that they are just closing
BUFFER_BYTES = 65_536
_NOT_BY_ITSELF = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class Upstream:
    """Forwards requests to the services at their origins (`http://host:port`)."""

    def __init__(self, origins: Mapping[str, str], streams: OpenStreams) -> None:
        self._origins, self._streams = origins, streams
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Be ready to forward; in the loop that will."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_NOT_BY_ITSELF,
            read_bufsize=BUFFER_BYTES,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        )
        self._session._retry_connection = False  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - its own retry would pass by the budget

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def read(self, service: str, path: str, seconds: float) -> tuple[int, Mapping[str, Any]]:
        """The status and JSON object that a service gives for one of its own open paths; ServiceAway when it gives none in time."""
        if self._session is None:
            raise ServiceAway
        try:
            async with asyncio.timeout(seconds), self._session.get(self._origins[service] + path, allow_redirects=False) as response:
                content = await response.json(content_type=None)
                return response.status, cast("dict[str, Any]", content) if isinstance(content, dict) else {}
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ServiceAway from error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        crossing = passage.of(scope)
        upload = _Upload(receive) if crossing.upload_length != 0 else None
        with Attendant(crossing, receive, self._streams):
            try:
                await self._forward(scope, crossing, upload, send)
            except aiohttp.ClientConnectorError as error:
                raise ServiceAway from error
            except (aiohttp.ClientError, ConnectionError) as error:
                if upload is not None and upload.failure is not None:
                    raise upload.failure from None
                raise ServiceBroke from error

    async def _forward(self, scope: Scope, crossing: Passage, upload: _Upload | None, send: Send) -> None:
        if self._session is None:
            raise ServiceAway
        origin = self._origins[crossing.routed.service]
        query = scope["query_string"]
        target = origin + scope["raw_path"].decode("ascii") + ("?" + query.decode("latin-1") if query else "")
        async with self._session.request(
            crossing.routed.method, URL(target, encoded=True), headers=headers.to_service(scope, crossing), data=upload and upload.chunks(), allow_redirects=False
        ) as response:
            crossing.service_status = response.status
            if crossing.routed.streaming and crossing.timeout is not None:
                crossing.timeout.reschedule(None)
            await send({"type": "http.response.start", "status": response.status, "headers": list(headers.to_client(response.raw_headers, origin))})
            more = True
            while more:
                chunk = await response.content.readany()
                more = not response.content.at_eof()
                await send({"type": "http.response.body", "body": chunk, "more_body": more})


class _Upload:
    """The request's body on its way to the service; `failure` is what stopped it here."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.failure: Exception | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        more = True
        try:
            while more:
                message = await self._next()
                more = message.get("more_body", False)
                if chunk := message.get("body", b""):
                    yield chunk
        except Exception as failure:
            self.failure = failure
            raise

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        return message
