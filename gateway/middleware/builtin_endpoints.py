"""The endpoints that the gateway itself answers: pages, OpenAPI, issuer keys, probes.

Not here: the content of pages and documents (pages/, openapi/).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from gateway import request_context
from gateway.host_group import Group
from gateway.pages import docs, home
from gateway.problems import Header, MethodUnknown

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.openapi.documents import Documents
    from gateway.request_context import RequestContext

JSON = b"application/json"
HTML = b"text/html; charset=utf-8"
JWKS_PATH = "/.well-known/jwks.json"
DISCOVERY_PATHS = frozenset(
    {"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"}
)
IMMUTABLE: Header = (b"cache-control", b"public, max-age=31536000, immutable")


@dataclass(frozen=True, slots=True)
class _Response:
    content_type: bytes
    body: bytes
    headers: tuple[Header, ...] = ()
    status: HTTPStatus = HTTPStatus.OK


class BuiltInEndpoints:
    """Answers the built-in paths and forwards all others.

    `origins` are the first addresses of the host groups. `jwks` are the public keys of our own
    issuers, `discovery` has the document of the built-in one for each group with a token endpoint.
    Without them their paths do not exist. On the certificate host they never exist. `has_try_it`
    lets the reader of `/docs` send requests.
    """

    def __init__(
        self,
        app: ASGIApp,
        documents: Documents,
        origins: Mapping[Group, str],
        jwks: Sequence[dict[str, Any]],
        discovery: Mapping[Group, dict[str, Any]],
        is_ready: Callable[[], Awaitable[bool]],
        *,
        has_try_it: bool,
    ) -> None:
        self.app = app
        self._documents = documents
        self._is_ready = is_ready
        self._assets = docs.load_assets()
        self._pages = _render_pages(origins, list(self._assets), has_try_it=has_try_it)
        self._jwks = json.dumps({"keys": list(jwks)}).encode() if jwks else None
        self._discovery = {
            group: json.dumps(document).encode() for group, document in discovery.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ctx = request_context.get_context(scope)
        path = scope["raw_path"].decode("latin-1")
        response = self._find_file(path, ctx.group, scope) or await self._respond(path, ctx)
        if response is None:
            await self.app(scope, receive, send)
            return
        if scope["method"] not in {"GET", "HEAD"}:
            raise MethodUnknown(("GET", "HEAD"))
        headers: list[Header] = [
            (b"content-type", response.content_type),
            (b"content-length", str(len(response.body)).encode()),
            *response.headers,
        ]
        status = int(response.status)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    def _find_file(self, path: str, group: Group, scope: Scope) -> _Response | None:
        """Return a page of the group, or a file that a page loads."""
        page = self._pages.get((group, path))
        asset = self._assets.get(path)
        if page is not None or asset is None:
            return page
        accepted = request_context.read_single_header(scope, b"accept-encoding") or b""
        vary: Header = (b"vary", b"accept-encoding")
        if b"gzip" in accepted:
            headers = (IMMUTABLE, vary, (b"content-encoding", b"gzip"))
            return _Response(asset.media_type, asset.gzipped, headers)
        return _Response(asset.media_type, asset.content, (IMMUTABLE, vary))

    async def _respond(self, path: str, ctx: RequestContext) -> _Response | None:
        match path:
            case "/openapi.json":
                return _Response(JSON, await self._documents.for_group(ctx.group, ctx.origin))
            case "/livez":
                return _Response(JSON, b"{}")
            case "/readyz":
                is_ready = await self._is_ready()
                status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
                return _Response(JSON, b"{}", status=status)
            case _:
                return self._find_issuer_document(path, ctx.group)

    def _find_issuer_document(self, path: str, group: Group) -> _Response | None:
        document = None
        if path in DISCOVERY_PATHS:
            document = self._discovery.get(group)
        elif path == JWKS_PATH and group is not Group.CERTIFICATE:
            document = self._jwks
        return None if document is None else _Response(JSON, document)


def _render_pages(
    origins: Mapping[Group, str], asset_paths: list[str], *, has_try_it: bool
) -> dict[tuple[Group, str], _Response]:
    """Return the pages `/` and `/docs` of each group."""
    pages: dict[tuple[Group, str], _Response] = {}
    for group in Group:
        page = docs.render_docs(group, asset_paths, has_try_it=has_try_it)
        policy = (b"content-security-policy", docs.CONTENT_SECURITY_POLICY)
        pages[group, "/docs"] = _Response(HTML, page, (policy,))
        front = home.render_home(group, origins)
        if front is not None:
            policy = (b"content-security-policy", home.CONTENT_SECURITY_POLICY)
            pages[group, "/"] = _Response(HTML, front, (policy,))
    return pages
