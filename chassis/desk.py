"""Parked sequences as an operator acts on them: in words, in the version that was seen, tried without effect. Not here: HTTP, and how letters are handled (parked)."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any

from chassis.errors import DomainError, VersionDiffers
from chassis.lifetime import Lifetime
from chassis.mongo import Document, Session
from chassis.outbox import STOPPED
from chassis.parked import Letter, Parked, ParkedUnknown
from chassis.reasons import BEHIND, READY, REFUSED, in_words
from chassis.runner import Runner
from chassis.unit_of_work import Transaction, envelope_of

Did = tuple[int, bool] | None
Body = dict[str, Any]


class _Tried(Exception):
    """Undoes what was only tried; its argument is how things would stand."""


class Desk(Parked[Any]):
    """One operator's request to one service."""

    def __init__(self, life: Lifetime, run: Runner[Any]) -> None:
        super().__init__(life.inbox)
        self.life, self.run, self.db, self.service = life, run, life.db, life.service.name

    async def standing(self, markers: list[Document], session: Session = None) -> list[Body]:
        """These sequences, each with the first of its letters that failed and does not only wait behind one."""
        where = {"state": "parked", "marker": {"$in": [marker["_id"] for marker in markers]}, "reason": {"$not": {"$regex": f"^{BEHIND}"}}}
        failed = {row["marker"]: row for row in await self.db.find("inbox", where, sort=[("order", -1)], fields={"body": 0}, session=session)}
        return [
            {"sequence": segment(marker["_id"])}
            | {name: marker.get(name) for name in ("kind", "topic", "key", "count", "version", "since")}
            | {"type": (first := failed.get(marker["_id"], marker)).get("headers", {}).get("ce_type", "")}
            | in_words(_reason(marker, first))
            for marker in markers
        ]

    async def opened(self, id_: str, limit: int, tx: Transaction) -> tuple[Document, list[Letter]]:
        """A marker with its first letters; of a key that the broker refused, the row that stopped it."""
        marker = await self._marker(tx, id_)
        if marker["kind"] != STOPPED:
            return marker, await self.letters(tx, id_, limit=limit)
        tx.note("parked.shown", id_)
        rows = await tx.db.find("outbox", {"_id": marker["first"]}, session=tx.session)
        headers = [{name: value.decode() for name, value in envelope_of(row, self.service).headers()} for row in rows]
        stopped = marker | {"reason": _reason(marker, marker)}
        return marker, [self._letter(stopped | {"_id": row["_id"], "headers": told, "body": row["body"].encode()}) for row, told in zip(rows, headers, strict=True)]

    async def act(self, sequence: str, version: int, act: Callable[[Transaction, str], Awaitable[Did]], *, dry_run: bool) -> Body:
        """Act on a sequence in this version and tell how it stands then. A dry run does all of it, and undoes it."""
        id_ = named(sequence, ParkedUnknown)

        async def act_on_parked(tx: Transaction) -> Did:
            if (marker := await self._marker(tx, id_))["version"] != version:
                raise VersionDiffers(current_version=marker["version"])
            did = await act(tx, id_)
            if dry_run:
                await tx.finish()
                raise _Tried(await self._afterwards(id_, did, tx.session))
            return did

        try:
            return await self._afterwards(id_, await self.run(act_on_parked))
        except _Tried as tried:
            return tried.args[0]

    async def retry_some(self, tx: Transaction, id_: str) -> Did:
        """Handle the first letters again."""
        return await self._retry_some(tx, id_)

    async def _afterwards(self, id_: str, did: Did, session: Session = None) -> Body:
        marker = await self.db.find_one("parked", {"_id": id_}, session=session) or {"_id": id_, "count": 0, "version": 0}
        took, more = did or (None, False)  # None also where this Idempotency-Key had been used before
        return (await self.standing([marker], session))[0] | {"took_effect": took, "more": more}


def _reason(marker: Document, row: Document) -> str:
    reason: str = row.get("reason", "") or (READY if marker.get("count") else "")
    return f"{REFUSED}: {reason}" if marker.get("kind") == STOPPED else reason


def segment(id_: str) -> str:
    """An id as one segment of a path."""
    return base64.urlsafe_b64encode(id_.encode()).decode().rstrip("=")


def named(text: str, unknown: type[DomainError]) -> str:
    """The id in a segment; `unknown` when it is none."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        raise unknown from None
