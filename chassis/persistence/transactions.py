"""Runs use cases in transactions, with retries on conflicts until a deadline.

Not here: HTTP, and what a use case does.
"""

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
from chassis.persistence.drivers.driver_calls import ended
from chassis.persistence.mongo import (
    DocumentRefused,
    DuplicateKey,
    Mongo,
    MongoError,
    TransactionConflict,
    TransactionTooLarge,
)
from chassis.persistence.unit_of_work import (
    OUTBOX,
    OperationContext,
    RetryWithoutEvent,
    Transaction,
)

Tx = TypeVar("Tx", bound=Transaction)
log = telemetry.log(__name__)
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
        "key_rotation",
        "keyed_jobs",
    }
)
DEFAULT_SECONDS = 10.0
END_SECONDS = 0.05  # in which a cancelled body ends while MongoDB answers
MAX_WRITES = 250_000  # of one transaction; MongoDB ends it after 15 s anyway
MIN_PAUSE_SECONDS = 0.001
FIRST_PAUSE_SECONDS = 0.004
MAX_PAUSE_SECONDS = 0.2


class KeyedLocks:
    """Fair in-process locks by key: the writers of a contended document queue in order."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def hold(self, keys: Iterable[str], deadline: float) -> AsyncGenerator[None]:
        """Hold the locks of all keys, taken in one order.

        Raises Busy when the deadline (loop time) comes first.
        """
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
    """Runs the transactions of one process.

    `before_commit` hooks run inside the transaction, `after_commit` hooks after it.
    """

    db: Mongo
    transaction: type[Tx]
    ports: Mapping[str, Any] = field(default_factory=dict[str, Any])
    clock: Callable[[], datetime] = utc_now
    locks: KeyedLocks = field(default_factory=KeyedLocks)
    before_commit: list[Callable[[Tx], Awaitable[None]]] = field(default_factory=list)
    after_commit: list[Callable[[Tx], None]] = field(default_factory=list)
    _unfinished: set[asyncio.Task[Any]] = field(default_factory=set[asyncio.Task[Any]], init=False)

    async def finish(self, seconds: float) -> None:
        """Wait at most so long for attempts whose callers were answered at their deadline."""
        if self._unfinished:
            await asyncio.wait(self._unfinished, timeout=seconds)

    async def attempt(
        self,
        body: Callable[[Tx], Awaitable[R]],
        cause: OperationContext,
        deadline: float | None = None,
    ) -> R:
        """Run one attempt of a transaction.

        The body is cancelled at the deadline (loop time); the commit is not, so that its result is
        known. Raises TransactionConflict when the body may run again.
        """

        async def work(session: mongo.Session) -> tuple[R, Tx]:
            async with asyncio.timeout_at(deadline):
                tx = self.transaction(self.db, session, self.clock(), cause, self.ports)
                result = await body(tx)
                for hook in self.before_commit:
                    await hook(tx)
                if tx.writes > MAX_WRITES:
                    raise TransactionTooLarge
                await tx.finish()
                return result, tx

        try:
            result, tx = await self.db.transact(work)
        except DuplicateKey as error:
            if _is_race(error):
                raise TransactionConflict from error
            raise
        for after_commit in self.after_commit:
            after_commit(tx)
        return result

    async def _attempt_by_deadline(
        self, body: Callable[[Tx], Awaitable[R]], cause: OperationContext, deadline: float
    ) -> R:
        """Run one attempt; leave it to end by itself if it has not ended by the deadline.

        An operation of the driver, or a commit, ends long after it while MongoDB is silent. Raises
        Busy at the deadline.
        """
        running = asyncio.ensure_future(self.attempt(body, cause, deadline))
        self._unfinished.add(running)
        running.add_done_callback(self._unfinished.discard)
        seconds_left = deadline - asyncio.get_running_loop().time() + END_SECONDS
        try:
            await asyncio.wait({running}, timeout=seconds_left)
        except asyncio.CancelledError:
            running.cancel()
            await ended(running)
            raise
        if not running.done():
            running.add_done_callback(_log_late_end)
            raise Busy
        return running.result()

    async def run_with_retries(
        self,
        body: Callable[[Tx], Awaitable[R]],
        cause: OperationContext,
        deadline: float,
        contended: Iterable[str] = (),
    ) -> R:
        """Run the body until it commits.

        Raises Busy if it has not committed by the deadline (loop time), Duplicate when a unique
        index refuses it twice.
        """
        conflicts = 0
        cause.traceparent = cause.traceparent or telemetry.current_traceparent()
        async with self.locks.hold(contended, deadline):
            while True:
                try:
                    return await self._attempt_by_deadline(body, cause, deadline)
                except (TransactionConflict, MongoError) as error:
                    if isinstance(error, MongoError) and not mongo.is_away(error):
                        raise
                    telemetry.TRANSACTION_RETRIES.inc()
                    conflicts += 1
                    await _pause_after_conflict(conflicts, deadline)
                except (RetryWithoutEvent, DuplicateKey, DocumentRefused) as error:
                    if cause.without_early_events:
                        raise _shown_to_caller(error) from None
                    # The next attempt leaves out early events, which may have caused the error.
                    cause.without_early_events = True
                except TimeoutError:
                    raise Busy from None


def _is_race(error: DuplicateKey) -> bool:
    """Return whether another transaction was first, so that a new attempt may succeed.

    An outbox row's `_id` is derived from the aggregate's version: a second one is a programming
    error, which a new attempt would repeat.
    """
    is_outbox_id = (error.collection, error.index) == (OUTBOX, "_id_")
    return error.collection in OWN_COLLECTIONS and not is_outbox_id


async def _pause_after_conflict(conflicts: int, deadline: float) -> None:
    """Sleep with jitter and exponential backoff. Raises Busy if the deadline comes first."""
    longest = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**conflicts)
    pause = random.uniform(MIN_PAUSE_SECONDS, longest)  # noqa: S311 - jitter
    if asyncio.get_running_loop().time() + pause >= deadline:
        raise Busy from None
    await asyncio.sleep(pause)


def _log_late_end(running: asyncio.Task[Any]) -> None:
    """Report how an attempt ended whose caller has been answered at the deadline."""
    error = None if running.cancelled() else running.exception()
    log.warning("transaction_ended_late", error=type(error).__name__ if error else "")


def _shown_to_caller(error: Exception) -> Exception:
    if isinstance(error, DuplicateKey):
        return Duplicate(collection=error.collection, index=error.index)
    return error


@dataclass(slots=True)
class Runner(Generic[Tx]):
    """Runs use cases for one caller: a request, or the service itself."""

    engine: TransactionManager[Tx]
    cause: OperationContext
    seconds: float = DEFAULT_SECONDS

    async def __call__(
        self, use_case: Callable[[Tx], Awaitable[R]], *, contended: Iterable[str] = ()
    ) -> R:
        """Run a use case in one transaction, which is committed when this returns.

        `contended` names the documents that many requests change at once; their locks are taken
        first. Raises Busy at the deadline.
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
