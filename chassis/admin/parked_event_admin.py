"""Parked sequences as an operator acts on them: in words, in the version that was seen, tried without effect. Not here: HTTP, and how letters are handled (parked)."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from chassis.admin.parked_reasons import BEHIND, READY, REFUSED, explain
from chassis.app.lifespan import ServiceRuntime
from chassis.errors import DomainError, VersionDiffers
from chassis.messaging import parked_events
from chassis.messaging.inbox import InboxTransaction
from chassis.messaging.outbox_relay import BLOCKED
from chassis.messaging.parked_events import (
    FAILED,
    ParkedEvent,
    ParkedSequences,
    ParkedUnknown,
    retry_failure_reason,
)
from chassis.persistence import mongo
from chassis.persistence.mongo import Document, Session
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import Transaction

Did = tuple[int, bool] | None
Body = dict[str, Any]


class _Tried(Exception):
    """Undoes what was only tried; its argument is how things would stand."""


class ParkedEventAdmin(ParkedSequences[Any]):
    """One operator's request to one service."""

    def __init__(self, life: ServiceRuntime, run: Runner[Any]) -> None:
        super().__init__(life.inbox)
        self.life, self.run, self.db, self.service = life, run, life.db, life.service.name

    async def standing(self, markers: list[Document], session: Session = None) -> list[Body]:
        """These sequences, each with the first of its letters that failed and does not only wait behind one."""
        where = {
            "state": "parked",
            "marker": {"$in": [marker["_id"] for marker in markers]},
            "reason": {"$not": {"$regex": f"^{BEHIND}"}},
        }
        # only the first of each: there may be any number of them
        group: Document = {"_id": "$marker"} | {
            name: {"$first": f"${name}"} for name in ("type", "reason")
        }
        failed = {
            row["_id"]: row
            for row in await self.db.aggregate(
                "inbox",
                [{"$match": where}, {"$sort": {"marker": 1, "order": 1}}, {"$group": group}],
                session=session,
            )
        }
        return [
            {"sequence": segment(marker["_id"])}
            | {
                name: marker.get(name)
                for name in ("kind", "topic", "key", "count", "version", "since")
            }
            | {"type": (first := failed.get(marker["_id"], marker)).get("type", "")}
            | explain(_reason(marker, first))
            for marker in markers
        ]

    async def opened(
        self, id_: str, limit: int, tx: Transaction
    ) -> tuple[Document, list[ParkedEvent]]:
        """A marker with its first letters; of a key that the broker refused, the row that stopped it."""
        marker = await self._marker(tx, id_)
        letters = await self.events(tx, id_, limit=limit)
        return marker, [
            replace(letter, reason=_reason(marker, marker)) for letter in letters
        ] if marker["kind"] == BLOCKED else letters

    async def retry_sequence(self, sequence: str, version: int, *, dry_run: bool) -> Body:
        """Handle a sequence in this version again from its first letter, at most RETRIED_AT_ONCE, and tell how it stands then. A dry run does all of it, and undoes it."""
        id_ = named(sequence, ParkedUnknown)
        try:
            after = await self.act(
                sequence,
                version,
                self._rehearse if dry_run else lambda tx, one: self.retry_first(one, tx),
                dry_run=dry_run,
            )
        except FAILED as error:
            if not dry_run:
                await Runner(self.run.engine, self.run.cause)(
                    partial(self.failed_again, id_, retry_failure_reason(error))
                )
            return await self._afterwards(id_, (0, False)) | explain(retry_failure_reason(error))
        if dry_run or not after["took_effect"] or not after["more"]:
            return after
        rest = await self.retry(
            Runner(self.run.engine, self.run.cause), id_, most=parked_events.RETRIED_AT_ONCE - 1
        )
        stands = await self._afterwards(id_, None)
        return stands | {
            "took_effect": 1 + rest,
            "more": stands["count"] > 0 and 1 + rest == parked_events.RETRIED_AT_ONCE,
        }

    async def act(
        self,
        sequence: str,
        version: int,
        act: Callable[[Transaction, str], Awaitable[Did]],
        *,
        dry_run: bool,
    ) -> Body:
        """Act on a sequence in this version in one transaction and tell how it stands then. A dry run does all of it, and undoes it."""
        id_, did = (
            named(sequence, ParkedUnknown),
            dict[str, Did](),
        )  # stays empty where this Idempotency-Key had been used before

        async def act_on_parked(tx: Transaction) -> None:
            if (marker := await self._marker(tx, id_))["version"] != version:
                raise VersionDiffers(current_version=marker["version"])
            did[id_] = await act(tx, id_)
            if dry_run:
                await tx.finish()
                raise _Tried(await self._afterwards(id_, did[id_], tx.session))

        try:
            await self.run(act_on_parked)
        except _Tried as tried:
            return tried.args[0]
        return await self._afterwards(id_, did.get(id_))

    async def _rehearse(self, tx: Transaction, id_: str) -> Did:
        """Handle the first letters in one transaction, which will be undone."""
        marker, acting, done = await self._marker(tx, id_), InboxTransaction(self.inbox, tx), 0
        rows = await self._waiting(tx, id_, parked_events.RETRIED_AT_ONCE)
        for row in rows:
            if problem := await acting.attempt(await acting.again(row)):
                self._say(tx, row, problem if isinstance(problem, str) else "not known yet")
                break
            tx.write_raw(
                "inbox",
                mongo.replacing({"_id": row["_id"], "state": "done", "done_at": tx.now}),
                row["_id"],
            )
            done += 1
        left = marker["count"] - done
        tx.write_raw(
            "parked",
            mongo.replacing(marker | {"count": left, "version": marker["version"] + 1})
            if left
            else mongo.deleting(id_),
            id_,
        )
        return done, left > 0 and done == len(rows)

    async def _afterwards(self, id_: str, did: Did, session: Session = None) -> Body:
        marker = await self.db.find_one("parked", {"_id": id_}, session=session) or {
            "_id": id_,
            "count": 0,
            "version": 0,
        }
        took, more = did or (
            None,
            False,
        )  # None also where this Idempotency-Key had been used before
        return (await self.standing([marker], session))[0] | {"took_effect": took, "more": more}


def _reason(marker: Document, row: Document) -> str:
    reason: str = row.get("reason", "") or (READY if marker.get("count") else "")
    return f"{REFUSED}: {reason}" if marker.get("kind") == BLOCKED else reason


def segment(id_: str) -> str:
    """An id as one segment of a path."""
    return base64.urlsafe_b64encode(id_.encode()).decode().rstrip("=")


def named(text: str, unknown: type[DomainError]) -> str:
    """The id in a segment; `unknown` when it is none."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        raise unknown from None
