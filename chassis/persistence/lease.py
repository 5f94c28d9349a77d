"""Leases in MongoDB, for work that only one replica at a time may do.

Not here: what is done under a lease (outbox relay, jobs, lifespan).
"""

from __future__ import annotations

import asyncio

from chassis.ids import new_id
from chassis.persistence.mongo import DuplicateKey, Mongo

# The id of this process. It is ordered by time: a process that starts later has a greater one.
PROCESS = new_id()

# The share of a lease's time in which we rely on it.
SAFE_SHARE = 0.75


class Lease:
    """The right of one holder until a time of the server's clock.

    `token` grows with each change of holder (fencing). Of two processes with the same holder name
    the younger one gets the lease.
    """

    def __init__(
        self,
        mongo: Mongo,
        name: str,
        holder: str,
        seconds: float,
        *,
        process: str = PROCESS,
        collection: str = "leases",
    ) -> None:
        self.mongo = mongo
        self.name = name
        self.holder = holder
        self.seconds = seconds
        self.process = process
        self.collection = collection
        self.token = 0
        self._until = 0.0

    @property
    def held(self) -> bool:
        """Return whether we hold the lease, by our monotonic clock; the last quarter is margin."""
        return asyncio.get_running_loop().time() < self._until

    async def take(self) -> bool:
        """Take or renew the lease; return whether we hold it now."""
        requested_at = asyncio.get_running_loop().time()
        ours = {"$and": [{"$eq": ["$holder", self.holder]}, {"$lte": ["$process", self.process]}]}
        is_free = {"$or": [ours, {"$lte": [{"$ifNull": ["$until", 0]}, "$$NOW"]}]}
        is_other = {"$ne": [["$holder", "$process"], [self.holder, self.process]]}
        changes = {"$and": [is_free, is_other]}
        fields = {
            "token": {"$add": [{"$ifNull": ["$token", 0]}, {"$cond": [changes, 1, 0]}]},
            "until": {"$cond": [is_free, {"$add": ["$$NOW", int(self.seconds * 1000)]}, "$until"]},
            "holder": {"$cond": [is_free, self.holder, "$holder"]},
            "process": {"$cond": [is_free, self.process, "$process"]},
        }
        try:
            row = await self.mongo.find_and_update(
                self.collection, {"_id": self.name}, [{"$set": fields}], upsert=True
            )
        except DuplicateKey:
            row = None
        if row is None or (row["holder"], row["process"]) != (self.holder, self.process):
            self._until = 0.0
            return False
        self.token = row["token"]
        self._until = requested_at + self.seconds * SAFE_SHARE
        return True

    async def release(self) -> None:
        """Give the lease back, so that another may take it at once."""
        self._until = 0.0
        await self.mongo.update(
            self.collection,
            {"_id": self.name, "holder": self.holder, "process": self.process},
            [{"$set": {"until": "$$NOW", "holder": ""}}],
        )
