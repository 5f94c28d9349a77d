"""Parked events: list, show, retry, discard. The events of one key keep their order.

Not here: why an event is parked (inbox, outbox_relay), the operators' API (admin).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Generic, cast

from chassis.errors import Duplicate, NotFound, Refused
from chassis.messaging.batch_processor import UNKNOWN_SUBJECT
from chassis.messaging.events import SubjectNotKnownYet
from chassis.messaging.inbox import InboxTransaction
from chassis.messaging.outbox_relay import BLOCKED
from chassis.messaging.received_events import Inbox, Tx, failure_reason
from chassis.persistence import mongo
from chassis.persistence.mongo import Document, DocumentRefused
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import OUTBOX, RetryWithoutEvent
from chassis.texts import TEXTS

Redaction = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]  # (event type, body) -> body
MAX_RETRIES = 200  # events of one request
MIN_REASON_LETTERS = 10
REDACTED = "…"
# UUIDs, dates and moments, booleans, and numbers too small to identify a person.
_NOT_PERSONAL = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|\d{4}-\d{2}-\d{2}(T[0-9:.+Z-]{1,30})?"
    r"|-?\d{1,9}|True|False"
)
# A field name with spaces or other characters may be a person's name. A name of one word passes.
_FIELD_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_.-]{0,60}")


class ParkedUnknown(NotFound):
    """No parked sequence has this id."""

    title = TEXTS["errors.parked_unknown"]


class ReasonMissing(Refused):
    """Discarding loses an event, so it needs a reason."""

    title = TEXTS["errors.reason_missing"]
    field = "reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedEvent:
    """One parked event as an operator sees it, with a redacted body."""

    id: str
    type: str
    topic: str
    key: str
    reason: str
    since: datetime
    time: str
    body: Mapping[str, Any]


def redact(_type: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Redact every text of a body, and every field name that does not look like an identifier.

    UUIDs, dates, moments, booleans and numbers of at most nine digits stay.
    """
    redacted: dict[str, Any] = {}
    for name, value in body.items():
        if not _FIELD_NAME.fullmatch(name):
            redacted[REDACTED] = REDACTED
        elif _NOT_PERSONAL.fullmatch(str(value)):
            redacted[name] = value
        else:
            redacted[name] = REDACTED
    return redacted


# What a retry raises if only an abort of the transaction can undo the event.
FAILED = (
    RetryWithoutEvent,
    Duplicate,
    DocumentRefused,
    mongo.TransactionTooLarge,
    mongo.MongoError,
)


def retry_failure_reason(error: BaseException) -> str:
    """Return why a retried event failed, in the form that a parked row stores.

    Raises the error itself if MongoDB is away: it says nothing about the event.
    """
    if isinstance(error, mongo.MongoError) and mongo.is_away(error):
        raise error
    problem = error.problem if isinstance(error, RetryWithoutEvent) else failure_reason(error)
    return problem if isinstance(problem, str) else UNKNOWN_SUBJECT


class ParkedSequences(Generic[Tx]):
    """The parked sequences of one service.

    A sequence has the id of its head: `topic/key`, or `outbox/key` for a blocked key.
    """

    def __init__(self, inbox: Inbox[Tx], redaction: Redaction = redact) -> None:
        self.inbox = inbox
        self.redaction = redaction

    async def sequences(self, tx: Tx, *, after: str = "", limit: int = 50) -> list[Document]:
        """Return the heads of sequences, by id: {_id, kind, topic, key, since, count}."""
        return await tx.db.find(
            "parked", {"_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit, session=tx.session
        )

    async def events(self, tx: Tx, id_: str, *, limit: int = 50) -> list[ParkedEvent]:
        """Return the first events of a sequence, in order. Raises ParkedUnknown."""
        head = await self._head(tx, id_)
        if head["kind"] == BLOCKED:
            rows = await tx.db.find(OUTBOX, {"_id": head["first"]}, session=tx.session)
            shared = {name: head[name] for name in ("topic", "reason", "since")}
            rows = [row | shared for row in rows]
        else:
            rows = await self._parked_rows(tx, id_, limit)
        tx.note("parked.shown", id_)
        return [self._parked_event(row) for row in rows]

    async def retry(self, run: Runner[Tx], id_: str, *, most: int = sys.maxsize) -> int:
        """Retry a sequence from its first event, each in a transaction of its own.

        Ends when the sequence is empty, an event fails, or `most` took effect. Returns how many
        took effect. The others that left the sequence are early.
        """
        applied = 0
        has_more = True
        try:
            while has_more and applied < most:
                took_effect, has_more = await run(partial(self.retry_first, id_))
                applied += took_effect
        except FAILED as error:
            await run(partial(self.record_failure, id_, retry_failure_reason(error)))
        return applied

    async def discard(self, tx: Tx, id_: str, event_id: str, reason: str) -> None:
        """Discard one event for good, with a reason for the audit; the others stay parked.

        Raises ReasonMissing, ParkedUnknown.
        """
        if len(reason.strip()) < MIN_REASON_LETTERS:
            raise ReasonMissing
        head = await self._head(tx, id_)
        where = {"_id": event_id, "state": "parked", "marker": id_}
        parked = await tx.db.find_one("inbox", where, session=tx.session)
        if parked is None:
            raise ParkedUnknown
        row = {"_id": event_id, "state": "discarded", "done_at": tx.now, "reason": reason}
        if "source" in parked:
            row["source"] = parked["source"]
        await self._remove(tx, head, row)
        tx.note("parked.discarded", event_id, reason=reason, sequence=id_)

    async def retry_first(self, id_: str, tx: Tx) -> tuple[bool, bool]:
        """Retry the first event; return whether it took effect, and whether others follow.

        If an earlier event of its key is early, this one becomes early, too, so as not to overtake
        it. Raises ParkedUnknown, and one of FAILED if only an abort can undo the event.
        """
        head = await self._head(tx, id_)
        tx.note("parked.retried", id_)
        rows = await self._parked_rows(tx, id_, 1)
        if not rows:
            # A blocked key: the relay sends its row again.
            tx.write_raw("parked", mongo.deleting(id_), id_)
            return False, False
        inbox_transaction = InboxTransaction(self.inbox, tx)
        received = await inbox_transaction.restore(rows[0])
        if await inbox_transaction.keep_behind_early(received):
            row = {"_id": received.row_id, "source": received.source, "state": "early"}
            return False, await self._remove(tx, head, row)
        problem = await inbox_transaction.attempt(received)
        if problem:
            reason = UNKNOWN_SUBJECT if isinstance(problem, SubjectNotKnownYet) else problem
            self._write_failure(tx, id_, received.row_id, reason)
            return False, False
        return True, await self._remove(tx, head, inbox_transaction.done_row(received))

    async def record_failure(self, id_: str, reason: str, tx: Tx) -> None:
        """Store why the first event of a sequence failed again."""
        for row in await self._parked_rows(tx, id_, 1):
            self._write_failure(tx, id_, row["_id"], reason)

    def _write_failure(self, tx: Tx, id_: str, event_id: str, reason: str) -> None:
        self._write_reason(tx, event_id, reason)
        tx.write_raw("parked", mongo.updating(id_, {"$inc": {"version": 1}}), id_)

    def _write_reason(self, tx: Tx, event_id: str, reason: str) -> None:
        update = {"$set": {"reason": reason, "retried_at": tx.now}}
        tx.write_raw("inbox", mongo.updating(event_id, update), event_id)

    async def _remove(self, tx: Tx, head: Document, row: Document) -> bool:
        """Remove one event from its sequence; return whether others are left.

        The head is always written, so that an event which joins concurrently conflicts.
        """
        first_rows = await self._parked_rows(tx, head["_id"], 2)
        left = [parked for parked in first_rows if parked["_id"] != row["_id"]]
        tx.write_raw("inbox", mongo.replacing(row), row["_id"])
        if left:
            changed = head | {
                "first": left[0]["order"],
                "count": head["count"] - 1,
                "version": head["version"] + 1,
            }
            tx.write_raw("parked", mongo.replacing(changed), head["_id"])
        else:
            tx.write_raw("parked", mongo.deleting(head["_id"]), head["_id"])
        return bool(left)

    async def _parked_rows(self, tx: Tx, id_: str, limit: int) -> list[Document]:
        """Return the first rows of a sequence, in order."""
        return await tx.db.find(
            "inbox",
            {"state": "parked", "marker": id_},
            sort=[("order", 1)],
            limit=limit,
            session=tx.session,
        )

    async def _head(self, tx: Tx, id_: str) -> Document:
        head = await tx.db.find_one("parked", {"_id": id_}, session=tx.session)
        if head is None:
            raise ParkedUnknown
        return head

    def _parked_event(self, row: Document) -> ParkedEvent:
        return ParkedEvent(
            id=row["_id"],
            type=row["type"],
            topic=row["topic"],
            key=row["key"],
            reason=row["reason"],
            since=row["since"],
            time=_time_of(row),
            body=self._redacted_body(row),
        )

    def _redacted_body(self, row: Document) -> Mapping[str, Any]:
        """Return the redacted body; empty if it is not a JSON object."""
        try:
            body: Any = json.loads(row["body"] or b"")
        except (ValueError, RecursionError):
            return {}
        if not isinstance(body, dict):
            return {}
        return self.redaction(row["type"], cast("dict[str, Any]", body))


def _time_of(row: Document) -> str:
    """Return the time of the event in an outbox row or a parked row; "" if it has none."""
    if "at" in row:
        return row["at"].isoformat(timespec="milliseconds")
    headers: dict[str, bytes | None] = dict(row.get("headers", ()))
    return (headers.get("ce_time") or b"").decode(errors="replace")
