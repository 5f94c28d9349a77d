"""Work that repeats under a lease: woken by commits, else every so often. Not here: what the work is."""

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

log = telemetry.log(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work done by one replica at a time. `work(run)` returns True when there is more to do at once; `every` is in seconds, at least 1."""

    name: str
    work: Callable[[Runner[Any]], Awaitable[bool]]
    every: float = 5.0


class JobLoop:
    """Runs one job for ever."""

    def __init__(
        self, engine: TransactionManager[Any], job: Job, service: str, replica: str
    ) -> None:
        self.engine, self.job, self.service = engine, job, service
        self._lease = Lease(
            engine.db, f"job/{job.name}", f"{service}/{replica}", seconds=max(20.0, job.every * 3)
        )
        self._wake = asyncio.Event()
        self._ending = False

    def stop(self) -> None:
        """End after the turn at hand."""
        self._ending = True
        self._wake.set()

    def wake(self) -> None:
        """Do it now."""
        self._wake.set()

    async def run(self) -> None:
        """Work for ever; ends when cancelled. A failure is logged and counted, and the work comes again."""
        try:
            while not self._ending:
                self._wake.clear()
                if not await self._turn() and not self._ending:
                    await self._pause()
        finally:
            if self._lease.held:
                await self._lease.release()

    async def _turn(self) -> bool:
        more, result = False, "interrupted"
        try:
            if self._lease.held or await self._lease.take():
                run = Runner(
                    self.engine,
                    OperationContext(
                        caller=system(self.service),
                        correlation_id=new_id(),
                        what=f"job:{self.job.name}",
                    ),
                    seconds=30,
                )
                more = await self._kept(asyncio.ensure_future(self.job.work(run)))
                result = "more" if more else "done"
        except (mongo.MongoError, Busy) as error:
            log.warning("job_interrupted", job=self.job.name, error=type(error).__name__)
        except Exception:
            result = "failed"
            log.exception("job_failed", job=self.job.name)
        telemetry.JOB_RUNS.labels(self.job.name, result).inc()
        return more

    async def _kept(self, work: asyncio.Future[bool]) -> bool:
        """The work's result. The lease is renewed while it lasts, and the work is cancelled when that fails: another replica may begin."""
        try:
            while not (await asyncio.wait([work], timeout=self._lease.seconds / 4))[0]:
                if not await self._lease.take():
                    log.warning("job_lost_its_lease", job=self.job.name)
                    return False
            return work.result()
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(max(1.0, self.job.every)):
                await self._wake.wait()
        except TimeoutError:
            return
