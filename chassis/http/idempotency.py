"""Idempotency keys: a repeated request gives the stored result and has no second effect.

Not here: retries of transactions (persistence.transactions).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from chassis.caller import Caller
from chassis.errors import Conflict, KeyReused
from chassis.persistence.mongo import Document
from chassis.persistence.store import Store
from chassis.persistence.transactions import Runner, Tx, name_of
from chassis.persistence.unit_of_work import Transaction
from chassis.texts import TEXTS

R = TypeVar("R")
V = TypeVar("V")
COLLECTION = "idempotency"


class StoredResultGone(Conflict):
    """The request took effect before, and the aggregate that it made no longer exists."""

    code = "nothing_to_repeat"
    title = TEXTS["errors.nothing_to_repeat"]


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The Idempotency-Key of one request.

    Unique by caller (subject, role and claims), method, route template and key. `holder` separates
    anonymous callers, who have one subject: it is what the request holds.
    """

    id: str
    content_hash: str

    @classmethod
    def of(
        cls,
        caller: Caller,
        method: str,
        template: str,
        key: str,
        *,
        holder: str = "",
        path: str = "",
        body: bytes = b"",
    ) -> IdempotencyKey:
        """Return the key of a request; names, paths and bodies are kept as hashes only."""
        claims = sorted((name, sorted(values)) for name, values in caller.claims.items())
        parts = [caller.subject, caller.role, claims, holder, method, template, key]
        name = json.dumps(parts).encode()
        content = path.encode() + b"\n" + body
        return cls(hashlib.sha256(name).hexdigest(), hashlib.sha256(content).hexdigest())


@dataclass(slots=True)
class RequestRunner(Runner[Tx], Generic[Tx]):
    """Runs the commands of one request, each once per Idempotency-Key.

    `runs` counts the transactions of the request: each has a row of its own under the key.
    """

    key: IdempotencyKey | None = None
    runs: int = 0

    @overload
    async def __call__(
        self, use_case: Callable[[Tx], Awaitable[R]], *, contended: Iterable[str] = ()
    ) -> R: ...

    @overload
    async def __call__(
        self,
        use_case: Callable[[Tx], Awaitable[R]],
        *,
        view: Callable[[R, Tx], Awaitable[V]],
        contended: Iterable[str] = (),
    ) -> V: ...

    async def __call__(
        self,
        use_case: Callable[[Tx], Awaitable[Any]],
        *,
        view: Callable[[Any, Tx], Awaitable[Any]] | None = None,
        contended: Iterable[str] = (),
    ) -> Any:
        """Run a command, and the view of its result, in one transaction.

        It is committed when this returns. If the Idempotency-Key is known, the command is skipped
        and the view gets the stored aggregate. Raises Busy at the deadline, KeyReused if the key
        was used with another path or body.
        """
        self.cause.what = self.cause.what or name_of(use_case)
        self.cause.without_early_events = False
        command = use_case
        locks = list(contended)
        if self.key is not None:
            row_id = self._next_row_id(self.key)
            command = _Idempotent(use_case, row_id, self.key.content_hash, self.cause.what)
            locks.append(f"{COLLECTION}/{row_id}")

        async def command_and_view(tx: Tx) -> Any:
            result = await command(tx)
            return result if view is None else await view(result, tx)

        return await self.engine.run_with_retries(
            command_and_view, self.cause, self.deadline(), locks
        )

    def _next_row_id(self, key: IdempotencyKey) -> str:
        """Return the id of the next transaction's row; the first one has the id of the key."""
        row_id = key.id if self.runs == 0 else f"{key.id}/{self.runs}"
        self.runs += 1
        return row_id


@dataclass(frozen=True, slots=True)
class _Idempotent(Generic[Tx]):
    """A command that runs only if its row is not stored yet, and stores it."""

    use_case: Callable[[Tx], Awaitable[Any]]
    row_id: str
    content_hash: str
    name: str

    async def __call__(self, tx: Tx) -> Any:
        row = await tx.db.find_one(COLLECTION, {"_id": self.row_id}, session=tx.session)
        if row is not None:
            if row["body"] != self.content_hash:
                raise KeyReused
            return await _stored_result(tx, row)
        result = await self.use_case(tx)
        collection = tx.collection_of(result)
        if collection is None and tx.reads_only:
            return result
        if collection is None and result is not None:
            raise TypeError(
                f"{self.name}: with an Idempotency-Key a use case returns one aggregate or None"
            )
        tx.write_raw(
            COLLECTION,
            {
                "_id": self.row_id,
                "body": self.content_hash,
                "resource": getattr(result, "id", None),
                "collection": collection,
                "seen": await _sees(tx, collection, result),
                "at": tx.now,
            },
        )
        return result


async def _stored_result(tx: Transaction, row: Document) -> Any:
    """Return the aggregate that the request made, as it is now.

    It must lie in the caller's scope if it did when it was made. Raises StoredResultGone, NotFound.
    """
    if row["collection"] is None:
        return None
    store = _store_of(tx, row["collection"])
    stored = await store.seek(row["resource"], scoped=False)
    if stored is None:
        raise StoredResultGone
    if row.get("seen", True):
        return await store.get(stored.id)
    return stored


async def _sees(tx: Transaction, collection: str | None, result: Any) -> bool:
    """Return whether the result lies in the caller's scope; some commands make what does not."""
    return collection is not None and await _store_of(tx, collection).seek(result.id) is not None


def _store_of(tx: Transaction, collection: str) -> Store[Any]:
    kind = next(store for store in tx.stores() if store.collection == collection)
    return tx.store(kind)
