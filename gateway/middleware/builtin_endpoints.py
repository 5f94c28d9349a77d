"""What the gateway answers itself on every host: the group's document and its page, the built-in issuers' keys, and the probes of a load balancer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from gateway import request_context
from gateway.openapi.reference_page import CONTENT_SECURITY_POLICY
from gateway.problems import MethodUnknown
from gateway.routing.table import Group

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.openapi.documents import Documents
    from gateway.request_context import Header

Answer = tuple[int, bytes, bytes]
JSON, HTML = b"application/json", b"text/html; charset=utf-8"
JWKS_PATH = "/.well-known/jwks.json"
DISCOVERY_PATHS = frozenset(
    {"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"}
)


class BuiltInEndpoints:
    """Answers those paths and passes everything else on. `jwks` are the built-in issuers' public keys, `discovery` the own one's document; without, there is no such path."""

    def __init__(
        self,
        app: ASGIApp,
        documents: Documents,
        jwks: Sequence[dict[str, Any]],
        discovery: dict[str, Any] | None,
        is_ready: Callable[[], Awaitable[bool]],
    ) -> None:
        self.app, self._documents, self._is_ready = app, documents, is_ready
        self._discovery = json.dumps(discovery).encode() if discovery else None
        self._jwks = json.dumps({"keys": list(jwks)}).encode() if jwks else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        crossing = request_context.get_context(scope)
        answer = await self._find_answer(scope["raw_path"].decode("latin-1"), crossing.group)
        if answer is None:
            await self.app(scope, receive, send)
            return
        if scope["method"] not in {"GET", "HEAD"}:
            raise MethodUnknown(("GET", "HEAD"))
        status, kind, body = answer
        headers: list[Header] = [
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
        ]
        if kind == HTML:
            headers.append((b"content-security-policy", CONTENT_SECURITY_POLICY))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _find_answer(self, path: str, group: Group) -> Answer | None:
        match path:
            case "/openapi.json":
                return 200, JSON, (await self._documents.for_group(group)).document
            case "/docs":
                return 200, HTML, (await self._documents.for_group(group)).page
            case "/livez":
                return 200, JSON, b"{}"
            case "/readyz":
                return 200 if await self._is_ready() else 503, JSON, b"{}"
            case _ if (
                path == JWKS_PATH and self._jwks is not None and group is not Group.CERTIFICATE
            ):
                return 200, JSON, self._jwks
            case _ if (
                path in DISCOVERY_PATHS
                and self._discovery is not None
                and group is not Group.CERTIFICATE
            ):
                return 200, JSON, self._discovery
            case _:
                return None
