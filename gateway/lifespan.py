"""The life of the gateway's own database side: it must be ready while Kafka is away, because reading goes on. Not here: the door (app)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chassis.app import database_setup
from chassis.app.lifespan import ServiceRuntime
from chassis.messaging import kafka
from gateway.access.clients import daily_quota
from gateway.authn.revocation_cache import RevocationCache
from gateway.middleware import rate_limit

if TYPE_CHECKING:
    from chassis.app.service import Service

TOPIC_RETRY_SECONDS = 2.0


class GatewayRuntime(ServiceRuntime):
    """A ServiceRuntime whose topic (for the audit's anchors) is made whenever Kafka comes, and whose status tells of the door."""

    def __init__(self, service: Service[Any]) -> None:
        super().__init__(service)
        self.proxy_status: Callable[[], dict[str, Any]] = dict
        self.revocation_cache = RevocationCache()
        self._topic_task: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Collections and indexes; the topic follows."""
        await self.db.ping()
        await database_setup.prepare(self.db, self.service.transaction)
        known = await self.db.collections()
        await self.db.ensure_collection(rate_limit.COLLECTION, None, rate_limit.INDEXES, known)
        await self.db.ensure_collection(daily_quota.COLLECTION, None, daily_quota.INDEXES, known)
        self._topic_task = asyncio.create_task(self._create_topic(), name="topic")

    async def missing(self) -> list[str]:
        """What is not ready, by name; before it is known whose trust was withdrawn nobody is believed."""
        return [
            *await super().missing(),
            *([] if self.revocation_cache.is_loaded else ["revocations"]),
        ]

    async def status(self) -> dict[str, Any]:
        """What the chassis tells, and the door's routes, breakers and requests in flight."""
        return await super().status() | self.proxy_status()

    async def _end(self) -> None:
        if self._topic_task is not None:
            self._topic_task.cancel()
        await super()._end()

    async def _create_topic(self) -> None:
        while True:
            try:
                await kafka.ensure_topic(self.broker(), self.relay.topic)
            except kafka.KafkaUnavailable:
                await asyncio.sleep(TOPIC_RETRY_SECONDS)
            else:
                return
