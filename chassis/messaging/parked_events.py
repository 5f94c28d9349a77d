"""Parked events: list, show, retry, discard. Letters of one key are handled in order and never overtaken. Not here: how an event comes to be parked (inbox, outbox)."""

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
from chassis.messaging.events import SubjectNotKnownYet
from chassis.messaging.inbox import Inbox, InboxTransaction, Tx, failure_reason
from chassis.messaging.outbox_relay import BLOCKED
from chassis.persistence import mongo
from chassis.persistence.mongo import Document, DocumentRefused
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import OUTBOX, RetryWithoutEvent

Redact = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
RETRIED_AT_ONCE = 200
_NOBODY = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d{2}-\d{2}(T[0-9:.+Z-]{1,30})?|-?\d{1,9}|True|False"
)
_FIELD = re.compile(
    r"[a-zA-Z][a-zA-Z0-9_.-]{0,60}"
)  # a person's name that somebody made a field of has spaces, or letters beyond these


class ParkedUnknown(NotFound):
    """No sequence waits under this id."""

    title = "Tidak ada peristiwa yang tertahan dengan kunci ini"


class ReasonMissing(Refused):
    """Discarding loses a fact: somebody has to say why."""

    title = "Sebutkan alasan mengapa peristiwa ini dibuang"
    field = "reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedEvent:
    """One parked event as an operator sees it: the body is redacted by rule."""

    id: str
    type: str
    topic: str
    key: str
    reason: str
    since: datetime
    time: str
    body: Mapping[str, Any]


def hidden(_type: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The rule where a service gives none: names of fields as code writes them, ids (UUIDs), dates, yes or no, and numbers too small to be anybody's; no text."""
    return {
        name if (ours := _FIELD.fullmatch(name)) else "…": value
        if ours and _NOBODY.fullmatch(str(value))
        else "…"
        for name, value in body.items()
    }


FAILED = (RetryWithoutEvent, Duplicate, DocumentRefused)


def retry_failure_reason(error: BaseException) -> str:
    """Why a letter failed, in the words of a parked row."""
    problem = error.problem if isinstance(error, RetryWithoutEvent) else failure_reason(error)
    return problem if isinstance(problem, str) else "not known yet"


class ParkedSequences(Generic[Tx]):
    """The parked sequences of one service. `id` is the marker's: `topic/key`, or `outbox/key` for a key that the broker refused at the producer."""

    def __init__(self, inbox: Inbox[Tx], redact: Redact = hidden) -> None:
        self.inbox, self.redact = inbox, redact

    async def sequences(self, tx: Tx, *, after: str = "", limit: int = 50) -> list[Document]:
        """The waiting sequences, by id: {_id, kind, topic, key, since, count}."""
        return await tx.db.find(
            "parked", {"_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit, session=tx.session
        )

    async def events(self, tx: Tx, id_: str, *, limit: int = 50) -> list[ParkedEvent]:
        """The first letters of a sequence, in order."""
        marker = await self._marker(tx, id_)
        if marker["kind"] == BLOCKED:
            rows = await tx.db.find(OUTBOX, {"_id": marker["first"]}, session=tx.session)
            rows = [
                row
                | {"topic": marker["topic"], "reason": marker["reason"], "since": marker["since"]}
                for row in rows
            ]
        else:
            rows = await self._waiting(tx, id_, limit)
        tx.note("parked.shown", id_)
        return [self._letter(row) for row in rows]

    async def retry(self, run: Runner[Tx], id_: str, *, most: int = sys.maxsize) -> int:
        """Handle a sequence again from its first letter, each in a transaction of its own, until it is empty, a letter fails, or so many were handled; how many took effect."""
        done, more = 0, most > 0
        try:
            while more:
                took, more = await run(partial(self.retry_first, id_))
                done += took
                more = more and done < most
        except FAILED as error:
            await run(partial(self.failed_again, id_, retry_failure_reason(error)))
        return done

    async def discard(self, tx: Tx, id_: str, event_id: str, reason: str) -> None:
        """Give up one letter for ever, with a reason that the audit keeps; the rest of its sequence stays parked until it is retried."""
        if not reason.strip():
            raise ReasonMissing
        marker = await self._marker(tx, id_)
        if (
            await tx.db.find_one(
                "inbox", {"_id": event_id, "state": "parked", "marker": id_}, session=tx.session
            )
            is None
        ):
            raise ParkedUnknown
        row = {"_id": event_id, "state": "discarded", "done_at": tx.now, "reason": reason}
        await self._leave(tx, marker, row)
        tx.note("parked.discarded", event_id, reason=reason, sequence=id_)

    async def retry_first(self, id_: str, tx: Tx) -> tuple[bool, bool]:
        """Handle the first letter again: whether it took effect, and whether others wait behind it. One of FAILED when only an abort undoes it."""
        marker = await self._marker(tx, id_)
        tx.note("parked.retried", id_)
        row = next(iter(await self._waiting(tx, id_, 1)), None)
        if row is None:  # a key that the broker refused: the relay tries it again
            tx.write_raw("parked", mongo.deleting(id_), id_)
            return False, False
        if problem := await (acting := InboxTransaction(self.inbox, tx)).attempt(
            await acting.again(row)
        ):
            self._say(
                tx, row, "not known yet" if isinstance(problem, SubjectNotKnownYet) else problem
            )
            tx.write_raw("parked", mongo.updating(id_, {"$inc": {"version": 1}}), id_)
            return False, False
        return True, await self._leave(
            tx, marker, {"_id": row["_id"], "state": "done", "done_at": tx.now}
        )

    async def failed_again(self, id_: str, reason: str, tx: Tx) -> None:
        """Say of the first letter why it failed."""
        for row in await self._waiting(tx, id_, 1):
            self._say(tx, row, reason)
            tx.write_raw("parked", mongo.updating(id_, {"$inc": {"version": 1}}), id_)

    def _say(self, tx: Tx, row: Document, reason: str) -> None:
        tx.write_raw(
            "inbox",
            mongo.updating(row["_id"], {"$set": {"reason": reason, "retried_at": tx.now}}),
            row["_id"],
        )

    async def _leave(self, tx: Tx, marker: Document, row: Document) -> bool:
        """Let one letter leave its sequence; True when others are left. The marker is written, so that an event that joins meanwhile conflicts."""
        left = [
            one for one in await self._waiting(tx, marker["_id"], 2) if one["_id"] != row["_id"]
        ]
        tx.write_raw("inbox", mongo.replacing(row), row["_id"])
        changed = marker | {
            "first": left[0]["order"] if left else "",
            "count": marker["count"] - 1,
            "version": marker["version"] + 1,
        }
        tx.write_raw(
            "parked",
            mongo.replacing(changed) if left else mongo.deleting(marker["_id"]),
            marker["_id"],
        )
        return bool(left)

    async def _waiting(self, tx: Tx, id_: str, limit: int) -> list[Document]:
        return await tx.db.find(
            "inbox",
            {"state": "parked", "marker": id_},
            sort=[("order", 1)],
            limit=limit,
            session=tx.session,
        )

    async def _marker(self, tx: Tx, id_: str) -> Document:
        marker = await tx.db.find_one("parked", {"_id": id_}, session=tx.session)
        if marker is None:
            raise ParkedUnknown
        return marker

    def _letter(self, row: Document) -> ParkedEvent:
        try:
            body: Any = json.loads(row["body"] or b"")
        except (ValueError, RecursionError):  # nested without end
            body = None
        shown = (
            self.redact(row["type"], cast("dict[str, Any]", body))
            if isinstance(body, dict)
            else dict[str, Any]()
        )
        headers: dict[str, bytes | None] = dict(row.get("headers", ()))
        time = (
            row["at"].isoformat(timespec="milliseconds")
            if "at" in row
            else (headers.get("ce_time") or b"").decode(errors="replace")
        )
        return ParkedEvent(
            id=row["_id"],
            type=row["type"],
            topic=row["topic"],
            key=row["key"],
            reason=row["reason"],
            since=row["since"],
            time=time,
            body=shown,
        )
