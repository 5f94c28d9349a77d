"""Rebuild of a projection from the archive: beside the live one, then swapped.

Not here: the routes (operator_api), how a projection is kept up to date (the service's handlers).

A rebuild reads the outbox of its own service page by page, so that an operator sees its progress.
Each page is one transaction, in which the projection's handlers write to a collection beside the
live one. The archives of other services lie in other databases, so documents made from their events
are copied from the live projection. So are documents that are written while the rebuild is under
way. A merge of two references may change any document, so a rebuild during which references were
merged fails at its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from chassis.admin import replay
from chassis.app import database_setup
from chassis.app.lifespan import ServiceRuntime
from chassis.errors import Busy, Conflict, NotFound
from chassis.messaging.inbox import InboxTransaction
from chassis.messaging.kafka_ports import Record
from chassis.messaging.outbox_relay import record
from chassis.messaging.received_events import Handler, Inbox
from chassis.persistence import mongo
from chassis.persistence.cursors import CursorInvalid
from chassis.persistence.mongo import Document, Filter
from chassis.persistence.store import Store
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import StoreOf, Transaction
from chassis.texts import TEXTS

PAGE = 500
SWAP_ATTEMPTS = 5
# A document may be committed this long after the time in it: MongoDB ends a transaction after 15 s
# (transactionLifetimeLimitSeconds), and the rest is margin.
COMMIT_MARGIN = timedelta(minutes=1)


class ProjectionUnknown(NotFound):
    """The service has no projection of this name."""

    title = TEXTS["errors.projection_unknown"]


class RebuildSuperseded(Conflict):
    """Another rebuild of this projection began after this one."""

    title = TEXTS["errors.rebuild_superseded"]


class MergedMeanwhile(Conflict):
    """References were merged during the rebuild, so the live projection stays as it is."""

    title = TEXTS["errors.merged_meanwhile"]


class EventNotApplied(Conflict):
    """A handler refused an archived event, so the live projection stays as it is."""

    title = TEXTS["errors.event_not_applied"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """A view that a service makes from events.

    `name` is the attribute of its store in the service's transaction. `handlers` handle the
    service's own events and must be idempotent. `own` matches the documents that were made from own
    events. `recorded_at` is the field with an event's time.
    """

    name: str
    store: type[Store[Any]]
    handlers: Mapping[Any, Handler]
    own: Filter
    recorded_at: str

    @property
    def collection(self) -> str:
        """The collection of the live projection."""
        return self.store.collection

    def carried_over(self, since: datetime) -> Document:
        """Return the filter of documents that a rebuild begun at `since` must copy.

        They come from other services' events, or were written during the rebuild.
        """
        written_meanwhile = {self.recorded_at: {"$gte": since - COMMIT_MARGIN}}
        return {"$or": [{"$nor": [dict(self.own)]}, written_meanwhile]}


@dataclass(frozen=True, slots=True)
class RebuildPage:
    """The result of one request: rows read of `total`, events applied, and how to continue.

    `total` is given with the first page only. Without `next_cursor` the projection has been swapped
    and has this number of `documents`.
    """

    total: int | None
    read: int
    applied: int
    next_cursor: str | None
    documents: int | None = None


def _list_name(projection: Projection) -> str:
    return f"rebuild/{projection.name}"


class Rebuild:
    """One rebuild of one projection, identified by the moment at which it began."""

    def __init__(
        self,
        life: ServiceRuntime,
        projection: Projection,
        started_at: datetime,
        aliases: int = 0,
        after: replay.Position | None = None,
    ) -> None:
        self.life = life
        self.db = life.db
        self.projection = projection
        self.started_at = started_at
        self.aliases = aliases  # number of rows in `aliases` at the beginning
        self.after = after  # of the last outbox row that was read
        milliseconds = int(started_at.timestamp() * 1000)
        self.collection = f"{projection.collection}.rebuilt.{milliseconds}"

    @classmethod
    def of_cursor(cls, life: ServiceRuntime, projection: Projection, cursor: str) -> Rebuild:
        """Return the rebuild that a cursor continues. Raises CursorInvalid."""
        match life.cursors.verify(cursor, _list_name(projection)):
            case datetime() as started_at, int(aliases), str(key), int(seq):
                return cls(life, projection, started_at, aliases, (key, seq))
            case _:
                raise CursorInvalid

    def cursor(self, after: replay.Position) -> str:
        """Return the cursor that continues after this outbox row."""
        position = [self.started_at, self.aliases, *after]
        return self.life.cursors.sign(_list_name(self.projection), position)

    async def begin(self) -> None:
        """Create the collection beside the live one; drop those of unfinished rebuilds."""
        self.aliases = await self.db.count("aliases", {})
        existing = await self.db.collections()
        for name in existing:
            if name.startswith(f"{self.projection.collection}.rebuilt."):
                await self.db.drop_collection(name)
        store = self.projection.store
        validator = database_setup.validator(store)
        await self.db.ensure_collection(self.collection, validator, store.indexes, existing)
        for name in (self.projection.collection, *self._former_names(existing)):
            await self._carry_over(name, self.collection)

    async def read_page(self, run: Runner[Any]) -> RebuildPage:
        """Apply the next page of the archive; swap the projection after the last one.

        Raises RebuildSuperseded, EventNotApplied, MergedMeanwhile.
        """
        if self.collection not in await self.db.collections():
            raise RebuildSuperseded
        total = None if self.after else await self.db.count("outbox", {})
        rows, following = await replay.page(self.db, {}, self.after, PAGE)
        applied: int = await run(partial(self._apply, rows))
        if following is not None:
            return RebuildPage(total, len(rows), applied, self.cursor(following))
        if await self.db.count("aliases", {}) != self.aliases:
            raise MergedMeanwhile
        documents = await self._swap()
        return RebuildPage(total, len(rows), applied, None, documents)

    async def _apply(self, rows: list[Document], tx: Transaction) -> int:
        """Apply these outbox rows with the projection's handlers; return how many had one."""
        topic = self.life.relay.topic
        inbox: Inbox[Any] = Inbox(self.life.service.name, {topic: self.projection.handlers})
        waiting_ids = await self._waiting_ids([row["_id"] for row in rows], tx)
        received = [
            inbox.receive(_archived_record(row, topic, inbox.service))
            for row in rows
            if row["_id"] not in waiting_ids
        ]
        read = [event for event in received if not event.is_ignored]
        events = [event.event for event in read if event.event]
        await tx.resolve_many({reference for event in events for reference in event.references})
        inbox_transaction = InboxTransaction(inbox, tx)
        for event in read:
            problem = await inbox_transaction.attempt(event)
            if problem:
                raise EventNotApplied(f"{event.id}: {problem}")
        return len(read)

    async def _waiting_ids(self, ids: list[str], tx: Transaction) -> set[str]:
        """Return the ids of events that have not taken effect in the live projection either."""
        where = {"_id": {"$in": ids}, "state": {"$in": ["parked", "early", "discarded"]}}
        rows = await self.db.find("inbox", where, fields={"_id": 1}, session=tx.session)
        return {row["_id"] for row in rows}

    async def _swap(self) -> int:
        """Put the rebuilt collection in the place of the live one; return its documents.

        The live collection is renamed first, not dropped: transactions may have written to it
        since it was carried over. Between the two renames a transaction may create the live
        collection again; it is then renamed, too. Readers find no document for that moment.
        """
        live = self.projection.collection
        for _ in range(SWAP_ATTEMPTS):
            existing = await self.db.collections()
            if live in existing:
                await self.db.rename(live, f"{live}.former.{len(self._former_names(existing))}")
            try:
                await self.db.rename(self.collection, live, replaces=False)
                break
            except mongo.MongoError:
                if self.collection not in await self.db.collections():
                    raise
        else:
            raise Busy
        for name in self._former_names(await self.db.collections()):
            await self._carry_over(name, live)
            await self.db.drop_collection(name)
        return await self.db.count(live, {})

    def _former_names(self, existing: Mapping[str, Any]) -> list[str]:
        """Return the former live collections that no swap has dropped yet."""
        return [
            name for name in existing if name.startswith(f"{self.projection.collection}.former.")
        ]

    async def _carry_over(self, source: str, target: str) -> None:
        """Copy the documents that a rebuild must copy; the version of the source wins."""
        match = {"$match": self.projection.carried_over(self.started_at)}
        merge = {"$merge": {"into": target, "whenMatched": "replace"}}
        await self.db.aggregate(source, [match, merge])


def rebuild_engine(
    life: ServiceRuntime, projection: Projection, collection: str
) -> TransactionManager[Any]:
    """Return a transaction manager whose transactions store the projection in `collection`."""
    store = type(projection.store.__name__, (projection.store,), {"collection": collection})
    live_transaction: type[Transaction] = life.engine.transaction
    members: dict[str, Any] = {projection.name: StoreOf(store)}
    transaction: Any = type("RebuildTransaction", (live_transaction,), members)
    return TransactionManager(life.db, transaction, life.engine.ports)


def _archived_record(row: Document, topic: str, service: str) -> Record:
    key, body, headers = record(row, service)
    return Record(topic, 0, row["seq"], key, body, tuple(headers), 0)
