"""Forwards requests to the services and streams bodies both ways. Not here: access control.

Reasons for aiohttp: docs/decisions/0015-aiohttp-forwards.md.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, cast

import aiohttp
from yarl import URL

from gateway import request_context
from gateway.problems import ClientDisconnected, UpstreamFailed, UpstreamUnavailable
from gateway.upstream import headers
from gateway.upstream.cancellation import OpenStreams, RequestCanceller

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from gateway.request_context import RequestContext

CONNECT_SECONDS = 2.0
# Services keep an idle connection for longer. Otherwise we would send requests on connections
# that the service is just closing.
IDLE_SECONDS = 20.0
MAX_HEADER_BYTES = 65_536
# Without these, aiohttp adds headers that the client did not send.
AUTOMATIC_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
FIRST_FINAL_STATUS = 200


class UpstreamClient:
    """Forwards requests to the services at their origins (`http://host:port`).

    It follows no redirect, keeps no cookie, decompresses nothing and uses no proxy.
    """

    def __init__(self, origins: Mapping[str, str], streams: OpenStreams) -> None:
        self._origins = dict(origins)
        self._streams = streams
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def get_json(
        self, service: str, path: str, seconds: float
    ) -> tuple[int, Mapping[str, Any]]:
        """Return the status and the JSON object at a public path of a service.

        The object is {} if the JSON is no object. Raises UpstreamUnavailable if no JSON arrives
        within `seconds`.
        """
        url = URL(self._origins[service] + path)
        try:
            async with (
                asyncio.timeout(seconds),
                self._get_session().get(url, allow_redirects=False) as response,
            ):
                content = json.loads(await response.read())
        except (aiohttp.ClientError, UpstreamFailed, TimeoutError, ValueError) as error:
            raise UpstreamUnavailable from error
        if not isinstance(content, dict):
            return response.status, {}
        return response.status, cast("dict[str, Any]", content)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ctx = request_context.get_context(scope)
        upload = _Upload(receive) if ctx.upload_length != 0 else None
        with RequestCanceller(ctx, receive, self._streams):
            try:
                await self._forward(scope, ctx, upload, send)
            except (aiohttp.ClientError, UpstreamFailed, UpstreamUnavailable) as error:
                # aiohttp wraps what the body raised; the client needs that reason.
                if upload is not None and upload.failure is not None:
                    raise upload.failure from None
                if isinstance(error, aiohttp.ClientError):
                    raise UpstreamFailed from error
                raise

    async def _forward(
        self, scope: Scope, ctx: RequestContext, upload: _Upload | None, send: Send
    ) -> None:
        route = ctx.matched_route
        origin = self._origins[route.service]
        ctx.service_status = 0
        response = await self._get_session().request(
            route.method,
            _build_url(origin, scope),
            headers=headers.select_request_headers(scope, ctx),
            data=upload,
            allow_redirects=False,
        )
        try:
            if response.status < FIRST_FINAL_STATUS:
                raise UpstreamFailed
            ctx.service_status = response.status
            if route.is_streaming and ctx.timeout is not None:
                ctx.timeout.reschedule(None)
            response_headers = headers.select_response_headers(
                response.raw_headers, response.status, origin
            )
            await send(
                {
                    "type": "http.response.start",
                    "status": response.status,
                    "headers": response_headers,
                }
            )
            if scope["method"] == "HEAD" and route.is_streaming:
                await send({"type": "http.response.body", "body": b""})
            else:  # the server drops the body of a response to HEAD
                await _send_body(response.content, send)
        finally:
            # Returns the connection to the pool if the exchange is complete, else closes it.
            response.close()

    def _get_session(self) -> aiohttp.ClientSession:
        # aiohttp needs a running loop, so the first request opens the session.
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=AUTOMATIC_HEADERS,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                max_field_size=MAX_HEADER_BYTES,
                middlewares=(_translate_errors,),
            )
        return self._session


async def _translate_errors(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Distinguish a connection that was not established from one that broke off.

    aiohttp repeats a request after some of its own errors, but not after ours. So only the
    middleware `retries` repeats requests, within its budget.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise UpstreamUnavailable from error
    except aiohttp.ClientError as error:
        raise UpstreamFailed from error


def _build_url(origin: str, scope: Scope) -> URL:
    """Return the URL at the service, with path and query as the client encoded them."""
    target = origin + scope["raw_path"].decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    return URL(f"{target}?{query}" if query else target, encoded=True)


async def _send_body(content: aiohttp.StreamReader, send: Send) -> None:
    """Send the body as it arrives; `more_body` is False in the last message."""
    has_more = True
    while has_more:
        chunk = await content.readany()
        has_more = not content.at_eof()
        await send({"type": "http.response.body", "body": chunk, "more_body": has_more})


class _Upload:
    """The request body as it arrives. `failure` is the error that ended it early."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._has_more = True
        self.failure: Exception | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while self._has_more:
            try:
                chunk = await self._read_message()
            except Exception as error:
                self.failure = error
                raise
            if chunk:
                return chunk
        raise StopAsyncIteration

    async def _read_message(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        self._has_more = message.get("more_body", False)
        return message.get("body", b"")
