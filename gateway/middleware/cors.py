"""CORS: pages of other origins have access where the settings name the origin.

Everybody's pages read the public documents of issuers and certificates: verifiers that run in a
browser need them (did:web, Bitstring Status List).

Not here: cookies; callers use bearer tokens only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING

from starlette.middleware.cors import CORSMiddleware

from gateway import request_context
from gateway.host_group import Group
from gateway.routing.table import METHODS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


PUBLIC_DOCUMENTS = ("/V/", "/i/", "/l/")
EXPOSED_HEADERS = (
    "etag",
    "link",
    "location",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "tus-extension",
    "tus-resumable",
    "tus-version",
    "upload-expires",
    "upload-length",
    "upload-metadata",
    "upload-offset",
    "x-request-id",
)
ALLOWED_HEADERS = (
    "accept-language",
    "access-reason",
    "acting-grant",
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "order-token",
    "range",
    "tus-resumable",
    "upload-length",
    "upload-metadata",
    "upload-offset",
    "x-request-id",
)
PREFLIGHT_MAX_AGE_SECONDS = 600


def is_public_document(scope: Scope) -> bool:
    """Return whether the path is that of a check page, a DID document or a status list."""
    is_certificate_host = request_context.get_context(scope).group is Group.CERTIFICATE
    return is_certificate_host and scope["path"].startswith(PUBLIC_DOCUMENTS)


class Cors:
    """One CORSMiddleware for each host group that names origins, one for public documents."""

    def __init__(self, app: ASGIApp, origins: Mapping[Group, frozenset[str]]) -> None:
        self.app = app
        self._public_documents: ASGIApp = CORSMiddleware(
            app,
            allow_origins=("*",),
            allow_methods=("GET", "HEAD"),
            expose_headers=("etag",),
            max_age=PREFLIGHT_MAX_AGE_SECONDS,
        )
        self._apps_by_group: dict[Group, ASGIApp] = {
            group: CORSMiddleware(
                app,
                allow_origins=sorted(group_origins),
                allow_methods=METHODS,
                allow_headers=ALLOWED_HEADERS,
                expose_headers=EXPOSED_HEADERS,
                max_age=PREFLIGHT_MAX_AGE_SECONDS,
            )
            for group, group_origins in origins.items()
            if group_origins
        }

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if is_public_document(scope):
            return self._public_documents(scope, receive, send)
        group = request_context.get_context(scope).group
        app = self._apps_by_group.get(group, self.app)
        return app(scope, receive, send)
