"""Start and end of the gateway's database side. Not here: the proxy (app, asgi)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chassis.app.lifespan import ServiceRuntime
from chassis.messaging import kafka_topics
from gateway.access.interface import QuotaCounter
from gateway.authn.revocation_cache import RevocationCache
from gateway.middleware import rate_windows

if TYPE_CHECKING:
    from chassis.app.service import Service

TOPIC_RETRY_SECONDS = 2.0


class GatewayRuntime(ServiceRuntime):
    """A ServiceRuntime that is ready without Kafka, because reading must continue then.

    The topic (for the anchors of the audit) is created as soon as Kafka is available.
    """

    def __init__(self, service: Service[Any]) -> None:
        super().__init__(service)
        self.proxy_status: Callable[[], dict[str, Any]] = dict
        self.revocation_cache = RevocationCache()
        self._topic_task: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Create collections and indexes, and start to create the topic."""
        await super().prepare()
        collections = await self.db.collections()
        await self.db.ensure_collection(
            rate_windows.COLLECTION, None, rate_windows.INDEXES, collections
        )
        await self.db.ensure_collection(
            QuotaCounter.COLLECTION, None, QuotaCounter.INDEXES, collections
        )
        self._topic_task = asyncio.create_task(self._create_topic(), name="topic")

    async def missing(self) -> list[str]:
        """Return what is not ready; no caller is accepted before the revocations are loaded."""
        missing = list(await super().missing())
        if not self.revocation_cache.is_loaded:
            missing.append("revocations")
        return missing

    async def status(self) -> dict[str, Any]:
        """Return the status of the chassis and of the proxy."""
        return await super().status() | self.proxy_status()

    async def _end(self) -> None:
        if self._topic_task is not None:
            self._topic_task.cancel()
        await super()._end()

    async def _create_topic(self) -> None:
        while True:
            try:
                await kafka_topics.ensure_topic(self.broker(), self.relay.topic)
            except kafka_topics.KafkaUnavailable:
                await asyncio.sleep(TOPIC_RETRY_SECONDS)
            else:
                return
