"""The gauges of the outbox, measured in every replica, whether or not it leads.

They are measured apart from sending, because a send waits for an absent broker.
Not here: sending (outbox_relay).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from chassis import telemetry
from chassis.ids import utc_now
from chassis.messaging.outbox_relay import BLOCKED, PAGE, UNSENT, WAITING
from chassis.persistence.mongo import Mongo
from chassis.persistence.unit_of_work import OUTBOX

MEASURE_SECONDS = 5.0  # between two measurements


class OutboxGauges:
    """Measures the outbox of one service, and whether this replica sends it (`leads`)."""

    def __init__(self, db: Mongo, leads: Callable[[], bool]) -> None:
        self.db = db
        self._leads = leads
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """End now."""
        self._stopped.set()

    async def run(self) -> None:
        """Measure until stopped or cancelled. Raises MongoError while MongoDB is away."""
        try:
            while not self._stopped.is_set():
                await self.measure()
                with suppress(TimeoutError):
                    async with asyncio.timeout(MEASURE_SECONDS):
                        await self._stopped.wait()
        finally:
            telemetry.RELAY_LEADER.set(0)

    async def measure(self) -> None:
        """Set the gauges. Raises MongoError."""
        telemetry.RELAY_LEADER.set(self._leads())
        backlog = await unsent(self.db)
        telemetry.OUTBOX_UNSENT.set(backlog["unsent"])
        telemetry.OUTBOX_AGE.set(backlog["oldest_seconds"])
        telemetry.OUTBOX_STOPPED.set(await self.db.count("parked", {"kind": BLOCKED}))


async def unsent(db: Mongo) -> dict[str, float]:
    """Return how many rows are unsent, and the age in seconds of the oldest of the first 1,000."""
    rows = await db.find(OUTBOX, UNSENT, sort=WAITING.keys, limit=PAGE, fields={"at": 1})
    if not rows:
        return {"unsent": 0, "oldest_seconds": 0}
    count = len(rows) if len(rows) < PAGE else await db.count(OUTBOX, UNSENT)
    oldest = min(row["at"] for row in rows)
    return {"unsent": count, "oldest_seconds": (utc_now() - oldest).total_seconds()}
