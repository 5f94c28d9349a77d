"""The lifespan of the gateway's own database and jobs. Not here: the proxy (app, asgi)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chassis.app.lifespan import ServiceRuntime
from gateway.access.interface import QuotaCounter
from gateway.authn.revocation_cache import RevocationCache
from gateway.middleware import rate_windows

if TYPE_CHECKING:
    from chassis.app.service import Service


class GatewayRuntime(ServiceRuntime):
    """A ServiceRuntime that is ready once the revocations are loaded.

    It consumes no topic, so it is ready while Kafka is unavailable. Its own topic receives the
    anchors of the audit.
    """

    def __init__(self, service: Service[Any]) -> None:
        super().__init__(service)
        self.proxy_status: Callable[[], dict[str, Any]] = dict
        self.revocation_cache = RevocationCache()

    async def prepare(self) -> None:
        """Create collections and indexes, also those of the rate limit and the daily quota."""
        await super().prepare()
        collections = await self.db.collections()
        await self.db.ensure_collection(
            rate_windows.COLLECTION, None, rate_windows.INDEXES, collections
        )
        await self.db.ensure_collection(
            QuotaCounter.COLLECTION, None, QuotaCounter.INDEXES, collections
        )

    async def missing(self) -> list[str]:
        """Return what is not ready; no token is accepted before the revocations are loaded."""
        missing = list(await super().missing())
        if not self.revocation_cache.is_loaded:
            missing.append("revocations")
        return missing

    async def status(self) -> dict[str, Any]:
        """Return the status of the chassis and of the proxy."""
        return await super().status() | self.proxy_status()
