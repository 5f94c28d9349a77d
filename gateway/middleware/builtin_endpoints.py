"""The endpoints that the gateway itself answers: OpenAPI, issuer keys, probes.

Not here: the content of the OpenAPI document (openapi/).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from gateway import request_context
from gateway.host_group import Group
from gateway.openapi.reference_page import CONTENT_SECURITY_POLICY
from gateway.problems import MethodUnknown

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.openapi.documents import Documents
    from gateway.problems import Header

JSON = b"application/json"
HTML = b"text/html; charset=utf-8"
JWKS_PATH = "/.well-known/jwks.json"
DISCOVERY_PATHS = frozenset(
    {"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"}
)


@dataclass(frozen=True, slots=True)
class _Response:
    status: HTTPStatus
    content_type: bytes
    body: bytes


class BuiltInEndpoints:
    """Answers the built-in paths and forwards all others.

    `jwks` are the public keys of our own issuers, `discovery` is the document of the built-in one.
    Without them their paths do not exist. On the certificate host they never exist.
    """

    def __init__(
        self,
        app: ASGIApp,
        documents: Documents,
        jwks: Sequence[dict[str, Any]],
        discovery: dict[str, Any] | None,
        is_ready: Callable[[], Awaitable[bool]],
    ) -> None:
        self.app = app
        self._documents = documents
        self._is_ready = is_ready
        self._issuer_documents: dict[str, bytes] = {}
        if jwks:
            self._issuer_documents[JWKS_PATH] = json.dumps({"keys": list(jwks)}).encode()
        if discovery:
            document = json.dumps(discovery).encode()
            self._issuer_documents |= dict.fromkeys(DISCOVERY_PATHS, document)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ctx = request_context.get_context(scope)
        response = await self._respond(scope["raw_path"].decode("latin-1"), ctx.group)
        if response is None:
            await self.app(scope, receive, send)
            return
        if scope["method"] not in {"GET", "HEAD"}:
            raise MethodUnknown(("GET", "HEAD"))
        headers: list[Header] = [
            (b"content-type", response.content_type),
            (b"content-length", str(len(response.body)).encode()),
        ]
        if response.content_type == HTML:
            headers.append((b"content-security-policy", CONTENT_SECURITY_POLICY))
        status = int(response.status)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    async def _respond(self, path: str, group: Group) -> _Response | None:
        match path:
            case "/openapi.json":
                rendered = await self._documents.for_group(group)
                return _Response(HTTPStatus.OK, JSON, rendered.document)
            case "/docs":
                rendered = await self._documents.for_group(group)
                return _Response(HTTPStatus.OK, HTML, rendered.page)
            case "/livez":
                return _Response(HTTPStatus.OK, JSON, b"{}")
            case "/readyz":
                is_ready = await self._is_ready()
                status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
                return _Response(status, JSON, b"{}")
            case _:
                return self._find_issuer_document(path, group)

    def _find_issuer_document(self, path: str, group: Group) -> _Response | None:
        document = self._issuer_documents.get(path)
        if document is None or group is Group.CERTIFICATE:
            return None
        return _Response(HTTPStatus.OK, JSON, document)
