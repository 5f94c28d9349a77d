"""A lease in MongoDB: one holder at a time of what only one replica should do. Not here: what is done with it (outbox, jobs, lifetime)."""

from __future__ import annotations

import asyncio

from chassis.ids import new_id
from chassis.persistence.mongo import DuplicateKey, Mongo

PROCESS = new_id()  # grows from one start of a process to the next


class Lease:
    """One holder at a time, by the server's clock; `token` grows with each change of holder (fencing). Of two processes with one name the younger holds it."""

    def __init__(
        self, mongo: Mongo, name: str, holder: str, seconds: float, *, process: str = PROCESS
    ) -> None:
        self.mongo, self.name, self.holder, self.seconds, self.process = (
            mongo,
            name,
            holder,
            seconds,
            process,
        )
        self.token = 0
        self._until = 0.0

    @property
    def held(self) -> bool:
        """Whether we still hold it, by our own monotonic clock, a quarter of the time early."""
        return asyncio.get_running_loop().time() < self._until

    async def take(self) -> bool:
        """Take or renew it; True when we hold it now."""
        asked = asyncio.get_running_loop().time()
        ours = {"$and": [{"$eq": ["$holder", self.holder]}, {"$lte": ["$process", self.process]}]}
        free = {"$or": [ours, {"$lte": [{"$ifNull": ["$until", 0]}, "$$NOW"]}]}
        changes = {"$and": [free, {"$ne": [["$holder", "$process"], [self.holder, self.process]]}]}
        fields = {
            "token": {"$add": [{"$ifNull": ["$token", 0]}, {"$cond": [changes, 1, 0]}]},
            "until": {"$cond": [free, {"$add": ["$$NOW", int(self.seconds * 1000)]}, "$until"]},
            "holder": {"$cond": [free, self.holder, "$holder"]},
            "process": {"$cond": [free, self.process, "$process"]},
        }
        try:
            row = await self.mongo.find_and_update(
                "leases", {"_id": self.name}, [{"$set": fields}], upsert=True
            )
        except DuplicateKey:
            row = None
        if row is None or (row["holder"], row["process"]) != (self.holder, self.process):
            self._until = 0.0
            return False
        self.token, self._until = row["token"], asked + self.seconds * 0.75
        return True

    async def release(self) -> None:
        """Give it back so that another may take it at once."""
        self._until = 0.0
        await self.mongo.update(
            "leases",
            {"_id": self.name, "holder": self.holder, "process": self.process},
            [{"$set": {"until": "$$NOW", "holder": ""}}],
        )
