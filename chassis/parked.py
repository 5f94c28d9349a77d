"""Parked events: list, show, retry, discard. Letters of one key are handled in order and never overtaken. Not here: how an event comes to be parked (inbox)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, cast

from chassis import mongo
from chassis.errors import NotFound, Refused
from chassis.inbox import MARKER, Counted, Inbox, Tx
from chassis.mongo import Document
from chassis.outbox import STOPPED
from chassis.runner import Runner

Redact = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
RETRIED_AT_ONCE = 200
_NOBODY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d{2}-\d{2}(T[0-9:.+Z-]{1,30})?|-?\d{1,9}")


class ParkedUnknown(NotFound):
    """No sequence waits under this id."""

    title = "Tidak ada peristiwa yang tertahan dengan kunci ini"


class ReasonMissing(Refused):
    """Discarding loses a fact: somebody has to say why."""

    title = "Sebutkan alasan mengapa peristiwa ini dibuang"
    field = "reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
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
    """The rule where a service gives none: names of fields, ids (UUIDs), dates, yes or no, and numbers too small to be anybody's; no text."""
    return {name: value if isinstance(value, bool) or (isinstance(value, (str, int)) and _NOBODY.fullmatch(str(value))) else "…" for name, value in body.items()}


class Parked(Generic[Tx]):
    """The parked sequences of one service. `id` is the marker's: `topic/key`, or `outbox/key` for a key that the broker refused at the producer."""

    def __init__(self, inbox: Inbox[Tx], redact: Redact = hidden) -> None:
        self.inbox, self.redact = inbox, redact

    async def sequences(self, tx: Tx, *, after: str = "", limit: int = 50) -> list[Document]:
        """The waiting sequences, by id: {_id, kind, topic, key, since, count}."""
        return await tx.db.find("parked", {"_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit, session=tx.session)

    async def letters(self, tx: Tx, id_: str, *, limit: int = 50) -> list[Letter]:
        """The first letters of a sequence, in order."""
        rows = await tx.db.find("inbox", {"state": "parked", "marker": id_}, sort=[("order", 1)], limit=limit, session=tx.session)
        if not rows:
            raise ParkedUnknown
        tx.note("parked.shown", id_)
        return [self._letter(row) for row in rows]

    async def retry(self, run: Runner[Tx], id_: str) -> int:
        """Handle a sequence again from its first letter, until it is empty or a letter fails; how many took effect."""
        done, more = 0, True
        while more:
            took, more = await run(lambda tx: self._retry_some(tx, id_))
            done += took
        return done

    async def discard(self, tx: Tx, id_: str, event_id: str, reason: str) -> None:
        """Give up one letter for ever, with a reason that the audit keeps; the rest of its sequence stays parked until it is retried."""
        if not reason.strip():
            raise ReasonMissing
        marker = await self._marker(tx, id_)
        row = await tx.db.find_one("inbox", {"_id": event_id, "state": "parked", "marker": id_}, session=tx.session)
        if row is None:
            raise ParkedUnknown
        tx.raw("inbox", mongo.upserting({"_id": event_id, "state": "discarded", "done_at": tx.now, "reason": reason}))
        self._leave(tx, marker, 1)
        tx.note("parked.discarded", event_id, reason=reason, sequence=id_)

    async def _retry_some(self, tx: Tx, id_: str) -> tuple[int, bool]:
        marker = await self._marker(tx, id_)
        tx.note("parked.retried", id_)
        if marker["kind"] == STOPPED:
            tx.raw("parked", mongo.deleting(id_))
            return 0, False
        rows = await tx.db.find("inbox", {"state": "parked", "marker": id_}, sort=[("order", 1)], limit=RETRIED_AT_ONCE, session=tx.session)
        done, counted = 0, Counted()
        for row in rows:
            problem = await self.inbox.attempt(tx, self.inbox.again(row), counted)
            if problem:
                reason = problem if isinstance(problem, str) else "not known yet"
                tx.raw("inbox", mongo.updating(row["_id"], {"$set": {"reason": reason, "retried_at": tx.now}}))
                break
            done += 1
        self._leave(tx, marker, done)
        return done, done == len(rows) and marker["count"] > 0

    async def _marker(self, tx: Tx, id_: str) -> Document:
        marker = await tx.db.find_one("parked", {"_id": id_}, session=tx.session)
        if marker is None:
            raise ParkedUnknown
        return marker

    def _leave(self, tx: Tx, marker: Document, done: int) -> None:
        marker["count"] -= done
        marker["version"] += 1
        tx.raw("parked", mongo.upserting(dict(marker)) if marker["count"] or marker["kind"] != MARKER else mongo.deleting(marker["_id"]))

    def _letter(self, row: Document) -> Letter:
        headers: dict[str, str] = row["headers"]
        try:
            body: Any = json.loads(bytes(row["body"]))
        except ValueError:
            body = None
        shown: Mapping[str, Any] = self.redact(headers.get("ce_type", ""), cast("dict[str, Any]", body)) if isinstance(body, dict) else {}
        return Letter(
            id=row["_id"],
            type=headers.get("ce_type", ""),
            topic=row["topic"],
            key=row["key"],
            reason=row["reason"],
            since=row["since"],
            time=headers.get("ce_time", ""),
            body=shown,
        )
