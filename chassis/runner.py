"""Where a transaction opens: run a use case for one caller, again on conflicts, until the deadline. Not here: HTTP, and what the use case does."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

from opentelemetry import trace

from chassis import mongo, telemetry
from chassis.errors import Busy, Conflict, Duplicate, KeyReused
from chassis.ids import utc_now
from chassis.mongo import DuplicateKey, KeyedLocks, Mongo, TransactionConflict
from chassis.store import Store
from chassis.unit_of_work import AgainWithout, Cause, Transaction

Tx = TypeVar("Tx", bound=Transaction)
R = TypeVar("R")

OWN_COLLECTIONS = frozenset({"outbox", "keys", "inbox", "offsets", "parked", "early", "aliases", "leases", "idempotency", "audit", "seals"})
DEFAULT_SECONDS = 10.0
tracer = trace.get_tracer("bina")


@dataclass(slots=True)
class Engine(Generic[Tx]):
    """What all transactions of one process share: the database, the unit of work's class, the clock, and who is told after a commit."""

    db: Mongo
    transaction: type[Tx]
    parts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    clock: Callable[[], datetime] = utc_now
    locks: KeyedLocks = field(default_factory=KeyedLocks)
    before_commit: list[Callable[[Tx], Awaitable[None]]] = field(default_factory=list)
    after_commit: list[Callable[[Tx], None]] = field(default_factory=list)

    async def once(self, body: Callable[[Tx], Awaitable[R]], cause: Cause) -> R:
        """One try of one transaction. TransactionConflict: run it again; DuplicateKey: a unique index refused."""

        async def work(session: mongo.Session) -> tuple[R, Tx]:
            tx = self.transaction(self.db, session, self.clock(), cause, self.parts)
            result = await body(tx)
            for hook in self.before_commit:
                await hook(tx)
            await tx.finish()
            return result, tx

        try:
            result, tx = await self.db.transact(work)
        except DuplicateKey as error:
            if error.collection in OWN_COLLECTIONS:
                raise TransactionConflict from error
            raise
        for told in self.after_commit:
            told(tx)
        return result

    async def until(self, body: Callable[[Tx], Awaitable[R]], cause: Cause, deadline: float, contended: Iterable[str] = ()) -> R:
        """Run the body until it commits. Busy when conflicts last until the deadline (loop time); Duplicate when a unique index refuses it twice."""
        loop = asyncio.get_running_loop()
        cause.traceparent = cause.traceparent or telemetry.current_traceparent()
        async with self.locks.hold(contended, deadline):
            tries, refused = 0, False
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        return await self.once(body, cause)
                except TransactionConflict:
                    telemetry.TRANSACTION_RETRIES.inc()
                    tries += 1
                    pause = random.uniform(0.001, min(0.2, 0.004 * 2**tries))  # noqa: S311 - jitter
                    if loop.time() + pause >= deadline:
                        raise Busy from None
                    await asyncio.sleep(pause)
                except AgainWithout as error:
                    cause.failed.update(error.failed)
                except DuplicateKey as error:
                    if refused:
                        raise Duplicate(collection=error.collection, index=error.index) from None
                    refused = True
                except TimeoutError:
                    raise Busy from None


@dataclass(frozen=True, slots=True)
class Repeat:
    """An Idempotency-Key as it came: unique by subject, method, route template and key."""

    id: str
    body_hash: str

    @classmethod
    def of(cls, subject: str, method: str, template: str, key: str, body: bytes) -> Repeat:
        """The key of this request."""
        name = f"{subject}\x1f{method}\x1f{template}\x1f{key}"
        return cls(hashlib.sha256(name.encode()).hexdigest(), hashlib.sha256(body).hexdigest())


@dataclass(slots=True)
class Runner(Generic[Tx]):
    """Runs use cases for one caller (a request, or the service itself)."""

    engine: Engine[Tx]
    cause: Cause
    seconds: float = DEFAULT_SECONDS
    repeat: Repeat | None = None

    async def __call__(self, use_case: Callable[[Tx], Awaitable[R]], *, contended: Iterable[str] = ()) -> R:
        """Run it in one transaction, committed when this returns. `contended` names the documents that many write at once.

        Busy (503) at the deadline. With an Idempotency-Key the same request again gives the stored aggregate without a second effect.
        """
        deadline = asyncio.get_running_loop().time() + self.seconds
        keys = list(contended)
        body = use_case
        if self.repeat is not None:
            keys.append(f"idempotency/{self.repeat.id}")
            body = cast("Callable[[Tx], Awaitable[R]]", _once_by_key(use_case, self.repeat))
        self.cause.what = self.cause.what or getattr(getattr(use_case, "func", use_case), "__name__", "")
        return await self.engine.until(body, self.cause, deadline, keys)


class NothingToRepeat(Conflict):
    """The request took effect before, and what it made is no longer there."""

    title = "Permintaan ini sudah dijalankan sebelumnya"


def _once_by_key(use_case: Callable[[Tx], Awaitable[R]], repeat: Repeat) -> Callable[[Tx], Awaitable[Any]]:
    async def body(tx: Tx) -> Any:
        row = await tx.db.find_one("idempotency", {"_id": repeat.id}, session=tx.session)
        if row is not None:
            if row["body"] != repeat.body_hash:
                raise KeyReused
            return await _again(tx, row)
        result = await use_case(tx)
        resource = getattr(result, "id", None)
        tx.raw("idempotency", mongo.inserting({"_id": repeat.id, "body": repeat.body_hash, "resource": resource, "collection": _home(tx, result), "at": tx.now}))
        return result

    return body


def _home(tx: Transaction, result: object) -> str | None:
    return next((store.collection for store in tx.stores() if type(result) is store.kind), None)


async def _again(tx: Transaction, row: mongo.Document) -> Any:
    if row["collection"] is None:
        return None
    kind: type[Store[Any]] = next(store for store in tx.stores() if store.collection == row["collection"])
    found = await tx.store(kind).seek(row["resource"], scoped=False)
    if found is None:
        raise NothingToRepeat
    return found
