"""Jobs that repeat under a lease: woken by commits, otherwise at intervals.

Not here: what a job does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from chassis import telemetry
from chassis.caller import system
from chassis.errors import Busy
from chassis.ids import new_id
from chassis.persistence import mongo
from chassis.persistence.lease import Lease
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext

MIN_LEASE_SECONDS = 20.0
MIN_PAUSE_SECONDS = 1.0
TRANSACTION_SECONDS = 30.0
log = telemetry.log(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A job that one replica at a time runs every `every` seconds (at least 1).

    `work(run)` returns True to be run again at once. `is_shared` work leases what it does itself
    (keyed_jobs), so that all replicas run it.
    """

    name: str
    work: Callable[[Runner[Any]], Awaitable[bool]]
    every: float = 5.0
    is_shared: bool = False


class JobLoop:
    """Runs one job until it is stopped."""

    def __init__(
        self, engine: TransactionManager[Any], job: Job, service: str, replica: str
    ) -> None:
        self.engine = engine
        self.job = job
        self.service = service
        lease_seconds = max(MIN_LEASE_SECONDS, job.every * 3)
        self._lease = Lease(engine.db, f"job/{job.name}", f"{service}/{replica}", lease_seconds)
        self._wake = asyncio.Event()
        self._is_ending = False

    def stop(self) -> None:
        """End after the current turn."""
        self._is_ending = True
        self._wake.set()

    def wake(self) -> None:
        """Run the job now."""
        self._wake.set()

    async def run(self) -> None:
        """Run the job until stopped or cancelled; log and count failures, and continue."""
        try:
            while not self._is_ending:
                self._wake.clear()
                has_more = await self._turn()
                if not has_more and not self._is_ending:
                    await self._pause()
        finally:
            if self._lease.held:
                await self._lease.release()

    async def _turn(self) -> bool:
        """Do the work once if the lease is held; return whether there is more to do at once."""
        has_more = False
        result = "interrupted"
        try:
            if self.job.is_shared or self._lease.held or await self._lease.take():
                context = OperationContext(
                    caller=system(self.service),
                    correlation_id=new_id(),
                    what=f"job:{self.job.name}",
                )
                run = Runner(self.engine, context, seconds=TRANSACTION_SECONDS)
                has_more = await self._work_under_lease(asyncio.ensure_future(self.job.work(run)))
                result = "more" if has_more else "done"
        except (mongo.MongoError, Busy) as error:
            log.warning("job_interrupted", job=self.job.name, error=type(error).__name__)
        except Exception:
            result = "failed"
            log.exception("job_failed", job=self.job.name)
        telemetry.JOB_RUNS.labels(self.job.name, result).inc()
        return has_more

    async def _work_under_lease(self, work: asyncio.Future[bool]) -> bool:
        """Renew the lease until the work ends, and return its result.

        If the lease is lost the work is cancelled, because another replica may start it.
        """
        try:
            while True:
                done, _ = await asyncio.wait([work], timeout=self._lease.seconds / 4)
                if done:
                    return work.result()
                if not self.job.is_shared and not await self._lease.take():
                    log.warning("job_lost_its_lease", job=self.job.name)
                    return False
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(max(MIN_PAUSE_SECONDS, self.job.every)):
                await self._wake.wait()
        except TimeoutError:
            return
