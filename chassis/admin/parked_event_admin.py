"""An operator's actions on parked sequences, with explanations, versions and dry runs.

Not here: HTTP (operator_api), the actions without these (messaging/parked_events).
"""

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
from chassis.messaging.batch_processor import UNKNOWN_SUBJECT
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

# How many events took effect, and whether others follow. None = a discard or a repeated request.
RetryOutcome = tuple[int, bool] | None
Body = dict[str, Any]
DESCRIBED_EVENTS = 20  # of each sequence in a list
_SHOWN_FIELDS = ("kind", "topic", "key", "count", "version", "since")


class _DryRunDone(Exception):
    """Rolls a dry run back; its argument is the state that the action would have led to."""


class ParkedEventAdmin(ParkedSequences[Any]):
    """One operator's request to one service."""

    def __init__(self, life: ServiceRuntime, run: Runner[Any]) -> None:
        super().__init__(life.inbox)
        self.life = life
        self.run = run
        self.db = life.db
        self.service = life.service.name

    async def describe(self, heads: list[Document], session: Session = None) -> list[Body]:
        """Describe these sequences, each with the first event that itself has failed.

        It is sought among the first events only, because a sequence may have any number.
        """
        bodies: list[Body] = []
        for head in heads:
            rows = await self.db.find(
                "inbox",
                {"state": "parked", "marker": head["_id"]},
                sort=[("order", 1)],
                limit=DESCRIBED_EVENTS,
                fields={"type": 1, "reason": 1},
                session=session,
            )
            failed = (row for row in rows if not row["reason"].startswith(BEHIND))
            bodies.append(_describe(head, next(failed, head)))
        return bodies

    async def open_sequence(
        self, id_: str, limit: int, tx: Transaction
    ) -> tuple[Document, list[ParkedEvent]]:
        """Return a head with its first events; for a blocked key, the row that blocks it."""
        head = await self._head(tx, id_)
        events = await self.events(tx, id_, limit=limit)
        if head["kind"] == BLOCKED:
            events = [replace(event, reason=_reason(head, head)) for event in events]
        return head, events

    async def retry_sequence(self, sequence: str, version: int, *, dry_run: bool) -> Body:
        """Retry at most MAX_RETRIES events of a sequence at this version; return its new state.

        A dry run retries them all in one transaction and rolls it back.
        """
        id_ = decode_segment(sequence, ParkedUnknown)

        async def retry_one(tx: Transaction, sequence_id: str) -> RetryOutcome:
            return await self.retry_first(sequence_id, tx)

        action = self._try_all if dry_run else retry_one
        try:
            state = await self.act(sequence, version, action, dry_run=dry_run)
        except FAILED as error:
            reason = retry_failure_reason(error)
            if not dry_run:
                await self._new_runner()(partial(self.record_failure, id_, reason))
            return await self._state_after(id_, (0, False)) | explain(reason)
        if dry_run or not state["more"]:
            return state
        most = parked_events.MAX_RETRIES
        first = state["took_effect"]
        took_effect = first + await self.retry(self._new_runner(), id_, most=most - first)
        state = await self._state_after(id_, None)
        has_more = state["count"] > 0 and took_effect == most
        return state | {"took_effect": took_effect, "more": has_more}

    async def act(
        self,
        sequence: str,
        version: int,
        action: Callable[[Transaction, str], Awaitable[RetryOutcome]],
        *,
        dry_run: bool,
    ) -> Body:
        """Act on a sequence at this version in one transaction; return its new state.

        A dry run rolls the transaction back. Raises ParkedUnknown, VersionDiffers.
        """
        id_ = decode_segment(sequence, ParkedUnknown)
        outcomes: list[RetryOutcome] = []

        async def act_on_parked(tx: Transaction) -> None:
            head = await self._head(tx, id_)
            if head["version"] != version:
                raise VersionDiffers(current_version=head["version"])
            outcome = await action(tx, id_)
            outcomes[:] = [outcome]
            if dry_run:
                await tx.finish()
                raise _DryRunDone(await self._state_after(id_, outcome, tx.session))

        try:
            await self.run(act_on_parked)
        except _DryRunDone as done:
            return done.args[0]
        # Without an outcome the Idempotency-Key was known, and the action did not run.
        return await self._state_after(id_, outcomes[0] if outcomes else None)

    def _new_runner(self) -> Runner[Any]:
        """Return a runner without the request's Idempotency-Key."""
        return Runner(self.run.engine, self.run.cause)

    async def _try_all(self, tx: Transaction, id_: str) -> RetryOutcome:
        """Retry the first events in one transaction, which will be rolled back."""
        head = await self._head(tx, id_)
        inbox_transaction = InboxTransaction(self.inbox, tx)
        applied = 0
        early = 0
        rows = await self._parked_rows(tx, id_, parked_events.MAX_RETRIES)
        for row in rows:
            received = await inbox_transaction.restore(row)
            if await inbox_transaction.keep_behind_early(received):
                early_row = {"_id": received.row_id, "state": "early"}
                tx.write_raw("inbox", mongo.replacing(early_row), received.row_id)
                early += 1
                continue
            problem = await inbox_transaction.attempt(received)
            if problem:
                reason = problem if isinstance(problem, str) else UNKNOWN_SUBJECT
                self._write_reason(tx, received.row_id, reason)
                break
            done_row = inbox_transaction.done_row(received)
            tx.write_raw("inbox", mongo.replacing(done_row), received.row_id)
            applied += 1
        left = head["count"] - applied - early
        if left:
            changed = head | {"count": left, "version": head["version"] + 1}
            tx.write_raw("parked", mongo.replacing(changed), id_)
        else:
            tx.write_raw("parked", mongo.deleting(id_), id_)
        return applied, left > 0 and applied + early == len(rows)

    async def _state_after(self, id_: str, outcome: RetryOutcome, session: Session = None) -> Body:
        """Describe a sequence after an action; if it is gone, count and version are 0."""
        empty: Document = {"_id": id_, "count": 0, "version": 0}
        head = await self.db.find_one("parked", {"_id": id_}, session=session) or empty
        [state] = await self.describe([head], session)
        took_effect, has_more = outcome or (None, False)
        return state | {"took_effect": took_effect, "more": has_more}


def _describe(head: Document, first_failure: Document) -> Body:
    shown = {name: head.get(name) for name in _SHOWN_FIELDS}
    return {
        "sequence": encode_segment(head["_id"]),
        **shown,
        "type": first_failure.get("type", ""),
        **explain(_reason(head, first_failure)),
    }


def _reason(head: Document, row: Document) -> str:
    """Return why a sequence waits; READY if none of its events has failed."""
    reason: str = row.get("reason", "")
    if not reason and head.get("count"):
        reason = READY
    return f"{REFUSED}: {reason}" if head.get("kind") == BLOCKED else reason


def encode_segment(id_: str) -> str:
    """Encode an id as one segment of a path."""
    return base64.urlsafe_b64encode(id_.encode()).decode().rstrip("=")


def decode_segment(text: str, unknown: type[DomainError]) -> str:
    """Decode the id in a segment; raise `unknown` if it is not an encoded id."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        raise unknown from None
