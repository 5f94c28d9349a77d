"""The way to the services and back: bodies flow through both ways as they come, in constant memory. Not here: whether a request may go."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from gateway import request_context
from gateway.problems import ClientDisconnected, UpstreamFailed, UpstreamUnavailable
from gateway.upstream import headers
from gateway.upstream.cancellation import OpenStreams, RequestCanceller
from gateway.upstream.connections import ConnectFailed, Connections, Interrupted

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from gateway.request_context import RequestContext


class UpstreamClient:
    """Forwards requests to the services at their origins (`http://host:port`)."""

    def __init__(self, origins: Mapping[str, str], streams: OpenStreams) -> None:
        self._origins, self._streams = origins, streams
        split = {service: urlsplit(origin) for service, origin in origins.items()}
        self._hosts = {
            service: (b"host", origin.netloc.encode()) for service, origin in split.items()
        }
        self._connections = {
            service: Connections(origin.hostname or "", origin.port or 80)
            for service, origin in split.items()
        }

    def close(self) -> None:
        """Close the connections."""
        for kept in self._connections.values():
            kept.close()

    async def get_json(
        self, service: str, path: str, seconds: float
    ) -> tuple[int, Mapping[str, Any]]:
        """The status and JSON object that a service gives for one of its own open paths; UpstreamUnavailable when it gives none in time."""
        kept, body = self._connections[service], bytearray()
        try:
            async with asyncio.timeout(seconds):
                connection = await kept.take()
                try:
                    await connection.ask("GET", path.encode(), [self._hosts[service]])
                    while chunk := await connection.chunk():
                        body += chunk
                finally:
                    kept.give_back(connection)
            content = json.loads(body)
        except (ConnectionError, TimeoutError, ValueError) as error:
            raise UpstreamUnavailable from error
        return connection.status, cast("dict[str, Any]", content) if isinstance(
            content, dict
        ) else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        crossing = request_context.get_context(scope)
        with RequestCanceller(crossing, receive, self._streams):
            try:
                await self._forward(scope, crossing, receive, send)
            except ConnectFailed as error:
                raise UpstreamUnavailable from error
            except Interrupted as error:
                raise UpstreamFailed from error

    async def _forward(
        self, scope: Scope, ctx: RequestContext, receive: Receive, send: Send
    ) -> None:
        place, query = ctx.target, scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        passed = [self._hosts[place], *headers.select_request_headers(scope, ctx)]
        kept, ctx.service_status = self._connections[place], 0
        connection = await kept.take()
        try:
            upload = _read_chunks(receive) if ctx.upload_length != 0 else None
            await connection.ask(
                ctx.matched_route.method,
                target,
                passed,
                upload,
                chunked=ctx.upload_length is None,
            )
            ctx.service_status = connection.status
            if ctx.matched_route.is_streaming and ctx.timeout is not None:
                ctx.timeout.reschedule(None)
            await send(
                {
                    "type": "http.response.start",
                    "status": connection.status,
                    "headers": list(
                        headers.select_response_headers(connection.headers, self._origins[place])
                    ),
                }
            )
            more = True
            while more:
                chunk = await connection.chunk()
                more = not connection.at_end
                await send({"type": "http.response.body", "body": chunk, "more_body": more})
        finally:
            kept.give_back(connection)


async def _read_chunks(receive: Receive) -> AsyncIterator[bytes]:
    """The request's body as it comes. ClientDisconnected."""
    more = True
    while more:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        more = message.get("more_body", False)
        if chunk := message.get("body", b""):
            yield chunk
