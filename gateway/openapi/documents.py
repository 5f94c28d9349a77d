"""The OpenAPI document of each host group, cached. Not here: how it is merged (merging)."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from gateway.openapi.merging import ORIGIN, build_document
from gateway.problems import UpstreamUnavailable

if TYPE_CHECKING:
    from gateway.host_group import Group
    from gateway.routing.reloader import RouteReloader
    from gateway.routing.table import Route

CACHE_SECONDS = 60.0
Fetch = Callable[[str], Awaitable[Mapping[str, Any]]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _CachedDocument:
    generation: int
    valid_until: float
    content: bytes


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
        self._locks: defaultdict[Group, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def for_group(self, group: Group, origin: str) -> bytes:
        """Return the group's current document, with addresses at this origin."""
        async with self._locks[group]:
            cached = self._cache.get(group)
            if cached is None or not self._is_current(cached):
                generation = self._routes.generation
                valid_until = self._clock() + CACHE_SECONDS
                cached = _CachedDocument(generation, valid_until, await self._render(group))
                self._cache[group] = cached
        return cached.content.replace(ORIGIN.encode(), origin.encode())

    def _is_current(self, cached: _CachedDocument) -> bool:
        is_fresh = cached.valid_until >= self._clock()
        return is_fresh and cached.generation == self._routes.generation

    async def _render(self, group: Group) -> bytes:
        routes = self._routes.table.for_group(group)
        await asyncio.gather(*map(self._refresh, {route.service for route in routes}))
        # In a thread: the requests of others continue meanwhile.
        return await asyncio.to_thread(_render, group, routes, dict(self._service_documents))

    async def _refresh(self, service: str) -> None:
        try:
            self._service_documents[service] = await self._fetch(service)
        except UpstreamUnavailable:
            log.warning("service gave no document; its last one stays in use", service=service)


def _render(
    group: Group, routes: list[Route], service_documents: Mapping[str, Mapping[str, Any]]
) -> bytes:
    document = build_document(group, routes, service_documents)
    return json.dumps(document, ensure_ascii=False).encode()
