"""Where a transaction opens: run a use case for one caller, again on conflicts, until the deadline. Not here: HTTP, and what the use case does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from chassis import telemetry
from chassis.errors import Busy, Duplicate
from chassis.ids import utc_now
from chassis.persistence import mongo
from chassis.persistence.mongo import DocumentRefused, DuplicateKey, Mongo, TransactionConflict
from chassis.persistence.unit_of_work import (
    OUTBOX,
    OperationContext,
    RetryWithoutEvent,
    Transaction,
)

Tx = TypeVar("Tx", bound=Transaction)
R = TypeVar("R")

OWN_COLLECTIONS = frozenset(
    {
        OUTBOX,
        "keys",
        "inbox",
        "offsets",
        "parked",
        "early",
        "aliases",
        "leases",
        "idempotency",
        "audit",
        "seals",
    }
)
DEFAULT_SECONDS = 10.0


class KeyedLocks:
    """Fair in-process locks by key: a contended document is written by one at a time, first come first served."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def hold(self, keys: Iterable[str], deadline: float) -> AsyncGenerator[None]:
        """Hold the locks of all keys, taken in one order; Busy when the deadline (loop time) comes first."""
        taken: list[str] = []
        try:
            for key in sorted(set(keys)):
                lock, users = self._locks.get(key, (asyncio.Lock(), 0))
                self._locks[key] = (lock, users + 1)
                try:
                    async with asyncio.timeout_at(deadline):
                        await lock.acquire()
                except BaseException as error:
                    self._leave(key)
                    if isinstance(error, TimeoutError):
                        raise Busy from None
                    raise
                taken.append(key)
            yield
        finally:
            for key in reversed(taken):
                self._locks[key][0].release()
                self._leave(key)

    def _leave(self, key: str) -> None:
        lock, users = self._locks.pop(key)
        if users > 1:
            self._locks[key] = (lock, users - 1)


@dataclass(slots=True)
class TransactionManager(Generic[Tx]):
    """What all transactions of one process share: the database, the unit of work's class, the clock, and who is told before and after a commit."""

    db: Mongo
    transaction: type[Tx]
    ports: Mapping[str, Any] = field(default_factory=dict[str, Any])
    clock: Callable[[], datetime] = utc_now
    locks: KeyedLocks = field(default_factory=KeyedLocks)
    before_commit: list[Callable[[Tx], Awaitable[None]]] = field(default_factory=list)
    after_commit: list[Callable[[Tx], None]] = field(default_factory=list)

    async def attempt(
        self,
        body: Callable[[Tx], Awaitable[R]],
        cause: OperationContext,
        deadline: float | None = None,
    ) -> R:
        """One try of one transaction, its body ended at the deadline (loop time; the commit is not: it is known or asked for). TransactionConflict: run it again."""

        async def work(session: mongo.Session) -> tuple[R, Tx]:
            async with asyncio.timeout_at(deadline):
                tx = self.transaction(self.db, session, self.clock(), cause, self.ports)
                result = await body(tx)
                for hook in self.before_commit:
                    await hook(tx)
                await tx.finish()
                return result, tx

        try:
            result, tx = await self.db.transact(work)
        except DuplicateKey as error:
            # an event's id comes from its aggregate: a second one is no race but a mistake, which would come again
            if error.collection in OWN_COLLECTIONS and (error.collection, error.index) != (
                OUTBOX,
                "_id_",
            ):
                raise TransactionConflict from error
            raise
        for told in self.after_commit:
            told(tx)
        return result

    async def run_with_retries(
        self,
        body: Callable[[Tx], Awaitable[R]],
        cause: OperationContext,
        deadline: float,
        contended: Iterable[str] = (),
    ) -> R:
        """Run the body until it commits. Busy when conflicts last until the deadline (loop time); Duplicate when a unique index refuses it twice."""
        loop, tries = asyncio.get_running_loop(), 0
        cause.traceparent = cause.traceparent or telemetry.current_traceparent()
        async with self.locks.hold(contended, deadline):
            while True:
                try:
                    return await self.attempt(body, cause, deadline)
                except (TransactionConflict, mongo.Unreachable):
                    telemetry.TRANSACTION_RETRIES.inc()
                    tries += 1
                    pause = random.uniform(0.001, min(0.2, 0.004 * 2**tries))  # noqa: S311 - jitter
                    if loop.time() + pause >= deadline:
                        raise Busy from None
                    await asyncio.sleep(pause)
                except (RetryWithoutEvent, DuplicateKey, DocumentRefused) as error:
                    if cause.without_early_events:
                        raise (
                            Duplicate(collection=error.collection, index=error.index)
                            if isinstance(error, DuplicateKey)
                            else error
                        ) from None
                    cause.without_early_events = (
                        True  # the second try is without the early facts of others
                    )
                except TimeoutError:
                    raise Busy from None


@dataclass(slots=True)
class Runner(Generic[Tx]):
    """Runs use cases for one caller: a request, or the service itself."""

    engine: TransactionManager[Tx]
    cause: OperationContext
    seconds: float = DEFAULT_SECONDS

    async def __call__(
        self, use_case: Callable[[Tx], Awaitable[R]], *, contended: Iterable[str] = ()
    ) -> R:
        """Run it in one transaction, committed when this returns. Raises Busy at the deadline.

        `contended` names the documents that many requests change at once; their locks are taken first.
        """
        self.cause.what = self.cause.what or name_of(use_case)
        self.cause.without_early_events = False
        return await self.engine.run_with_retries(use_case, self.cause, self.deadline(), contended)

    def deadline(self) -> float:
        """Return the deadline of a run that begins now, in loop time."""
        return asyncio.get_running_loop().time() + self.seconds


def name_of(use_case: Callable[..., object]) -> str:
    """Return the name of a use case, also of a partial one."""
    return getattr(getattr(use_case, "func", use_case), "__name__", "")
