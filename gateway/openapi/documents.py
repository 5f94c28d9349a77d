"""The OpenAPI document of each host group, cached. Not here: how it is merged (merging)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from gateway.openapi.merging import build_document
from gateway.openapi.reference_page import render_page
from gateway.problems import UpstreamUnavailable

if TYPE_CHECKING:
    from gateway.host_group import Group
    from gateway.routing.reloader import RouteReloader

CACHE_SECONDS = 60.0
Fetch = Callable[[str], Awaitable[Mapping[str, Any]]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RenderedDocument:
    """A group's document and its page, as bytes."""

    document: bytes
    page: bytes


@dataclass(frozen=True, slots=True)
class _CachedDocument:
    generation: int
    valid_until: float
    rendered: RenderedDocument


class Documents:
    """Merges a group's document, and caches it for CACHE_SECONDS or until the routes change.

    `fetch(service)` returns a service's own document. While a service is unavailable its last
    document is used. `clock` is monotonic, in seconds.
    """

    def __init__(self, routes: RouteReloader, fetch: Fetch, clock: Callable[[], float]) -> None:
        self._routes = routes
        self._fetch = fetch
        self._clock = clock
        self._service_documents: dict[str, Mapping[str, Any]] = {}
        self._cache: dict[Group, _CachedDocument] = {}
        self._lock = asyncio.Lock()

    async def for_group(self, group: Group) -> RenderedDocument:
        """Return the group's current document and page."""
        async with self._lock:
            cached = self._cache.get(group)
            if cached is not None and self._is_current(cached):
                return cached.rendered
            generation = self._routes.generation
            valid_until = self._clock() + CACHE_SECONDS
            rendered = await self._render(group)
            self._cache[group] = _CachedDocument(generation, valid_until, rendered)
            return rendered

    def _is_current(self, cached: _CachedDocument) -> bool:
        is_fresh = cached.valid_until >= self._clock()
        return is_fresh and cached.generation == self._routes.generation

    async def _render(self, group: Group) -> RenderedDocument:
        routes = self._routes.table.for_group(group)
        for service in {route.service for route in routes}:
            try:
                self._service_documents[service] = await self._fetch(service)
            except UpstreamUnavailable:
                log.warning("service gave no document; its last one stays in use", service=service)
        document = build_document(group, routes, self._service_documents)
        return RenderedDocument(
            document=json.dumps(document, ensure_ascii=False).encode(),
            page=render_page(document).encode(),
        )
