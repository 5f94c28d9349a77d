"""Keyed jobs: a step for each key, leased by row, so that a failure delays only its key.

What is due is read from the service's own data. The row of a key in `keyed_jobs` holds its lease
(server time, fencing token) and, after failures, when it is due again. All processes of a service
share the rows.
Not here: what a step does, and the loop (runner).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from chassis import telemetry
from chassis.persistence import mongo
from chassis.persistence.lease import Lease
from chassis.persistence.mongo import MongoError
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import Transaction

R = TypeVar("R")
COLLECTION = "keyed_jobs"
LEASE_SECONDS = 20.0
STEP_SECONDS = 15.0  # of each transaction, less than the lease
FIRST_DELAY_SECONDS = 5
# At most this, so that JobFails counts more than two failures in a quarter of an hour.
MAX_DELAY_SECONDS = 240
log = telemetry.log(__name__)


class LeaseLost(Exception):
    """Another process has taken the key meanwhile."""


class _FencedRunner(Runner[Any]):
    """Runs the transactions of one step; they commit only while the lease is ours."""

    def __init__(self, run: Runner[Any], lease: Lease) -> None:
        super().__init__(run.engine, run.cause, STEP_SECONDS)
        self._lease = lease

    async def __call__(
        self, use_case: Callable[[Any], Awaitable[R]], *, contended: Iterable[str] = ()
    ) -> R:
        async def fenced(tx: Transaction) -> R:
            row_id = self._lease.name
            row = {"_id": row_id, "token": self._lease.token}
            if await tx.db.find_one(COLLECTION, row, session=tx.session) is None:
                raise LeaseLost
            # A process that takes the row meanwhile conflicts with this write.
            tx.write_raw(COLLECTION, mongo.updating(row_id, {"$inc": {"steps": 1}}), row_id)
            return await use_case(tx)

        return await super().__call__(fenced, contended=contended)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedJob:
    """The work of a `Job` that all processes share.

    `find_keys` returns what is due; `step(key, run)` returns True if the key has more to do.
    `holder` names this process's replica: its successor takes over the leases at once.
    """

    name: str
    holder: str
    find_keys: Callable[[Any], Awaitable[list[str]]]
    step: Callable[[str, Runner[Any]], Awaitable[bool]]

    async def __call__(self, run: Runner[Any]) -> bool:
        """Take one step of each key that is due and free; return whether any has more."""
        db = run.engine.db
        keys = await run(self.find_keys)
        ids = [self._row_id(key) for key in keys]
        is_delayed = {"_id": {"$in": ids}, "$expr": {"$gt": ["$due", "$$NOW"]}}
        delayed = {row["_id"] for row in await db.find(COLLECTION, is_delayed)}
        has_more = False
        for key in keys:
            row_id = self._row_id(key)
            lease = Lease(db, row_id, self.holder, LEASE_SECONDS, collection=COLLECTION)
            if row_id not in delayed and await lease.take():
                has_more |= await self._take_step(key, lease, run)
        return has_more

    def _row_id(self, key: str) -> str:
        return f"{self.name}/{key}"

    async def _take_step(self, key: str, lease: Lease, run: Runner[Any]) -> bool:
        """Take one step; a failure delays this key, and MongoDB's absence is raised."""
        fenced = _FencedRunner(run, lease)
        try:
            has_more = await self.step(key, fenced)
        except MongoError:
            raise
        except LeaseLost:
            return False
        except Exception as error:
            log.exception("keyed_step_failed", job=self.name, key=key)
            telemetry.JOB_RUNS.labels(self.name, "failed").inc()
            await _delay(lease, type(error).__name__)
            return False
        row = {"_id": lease.name, "token": lease.token}
        if has_more:
            released = {"until": "$$NOW", "holder": "", "due": "$$NOW", "failures": 0, "error": ""}
            await run.engine.db.update(COLLECTION, row, [{"$set": released}])
        else:
            await run.engine.db.delete(COLLECTION, row)
        return has_more


async def _delay(lease: Lease, error: str) -> None:
    """Release the row, and make it due later the more often it has failed."""
    failures = {"$ifNull": ["$failures", 0]}
    doubled = {"$multiply": [FIRST_DELAY_SECONDS, {"$pow": [2, {"$min": [failures, 10]}]}]}
    milliseconds = {"$multiply": [1000, {"$min": [MAX_DELAY_SECONDS, doubled]}]}
    fields = {
        "until": "$$NOW",
        "holder": "",
        "due": {"$add": ["$$NOW", milliseconds]},
        "failures": {"$add": [failures, 1]},
        "error": error,
    }
    row = {"_id": lease.name, "token": lease.token}
    await lease.mongo.update(COLLECTION, row, [{"$set": fields}])
