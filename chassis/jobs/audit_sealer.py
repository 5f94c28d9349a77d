"""Who did what to whose data: rows sealed in a chain of blocks. Not here: what is worth a row (the unit of work writes one per change), its verification (ops/audit).

A row is inserted unchained in the transaction of the change. One leased sealer puts rows into blocks {n, previous, rows, digest}: the digest is an HMAC over
the block's number, the previous digest and the rows' hashes, with a key that is not in MongoDB; it is published on the service's topic as anchor.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from chassis import telemetry
from chassis.messaging.events import Event
from chassis.persistence.mongo import Document, Index
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import Transaction

ROWS_PER_BLOCK = 2_000
UNSEALED: Document = {"block": None}
ACTS: Document = {
    "causation_id": ""
}  # rows of what somebody asked for, not of what followed from it
_WHOSE = tuple(Index(name, where={name: {"$exists": True}}) for name in ("person", "refs"))
INDEXES = (
    Index("block", "at", where=UNSEALED),
    Index("subject", "at"),
    Index("actor", "_id", where=ACTS),
    *_WHOSE,
)  # an `_id` is ordered by time

Tx = TypeVar("Tx", bound=Transaction)


def anchor_type(service: str) -> type[Event]:
    """The anchor event of a service: `<service>.audit-sealed.v1`, read by `audit verify`."""

    class AuditSealed(Event, type=f"{service}.audit-sealed.v1", key="chain"):
        """A block of audit rows was sealed; its digest stands here, outside the database."""

        chain: str
        block: int
        rows: int
        digest: str

    return AuditSealed


def canonical(row: Document) -> str:
    """A row as its hash is taken: JSON, names in order, without the block it stands in."""
    plain = {name: value for name, value in row.items() if name != "block"}
    return json.dumps(
        plain, default=_text, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def row_hash(row: Document) -> str:
    """SHA-256 over a row's canonical form."""
    return hashlib.sha256(canonical(row).encode()).hexdigest()


def _text(value: Any) -> str:
    return (
        value.astimezone(UTC).isoformat(timespec="milliseconds")
        if isinstance(value, datetime)
        else str(value)
    )


def digest(key: bytes, number: int, previous: str, hashes: Sequence[str]) -> str:
    """The digest of a block."""
    return hmac.new(
        key, "\n".join([str(number), previous, *hashes]).encode(), hashlib.sha256
    ).hexdigest()


class AuditSealer:
    """The leased job that seals what waits."""

    def __init__(self, service: str, key: bytes) -> None:
        self.service, self._key = service, key
        self._anchor = anchor_type(service)

    async def __call__(self, run: Runner[Any]) -> bool:
        """Seal one block; True when more rows wait."""
        if await run.engine.db.find_one("audit", UNSEALED) is None:
            telemetry.AUDIT_UNSEALED_AGE.set(0)
            return False
        return await run(self._seal)

    async def _seal(self, tx: Transaction) -> bool:
        rows = await tx.db.find(
            "audit", UNSEALED, sort=[("at", 1)], limit=ROWS_PER_BLOCK, session=tx.session
        )
        if not rows:
            return False
        telemetry.AUDIT_UNSEALED_AGE.set(max(0.0, (tx.now - rows[0]["at"]).total_seconds()))
        rows.sort(key=lambda row: row["_id"])
        last = await tx.db.find("seals", {}, sort=[("_id", -1)], limit=1, session=tx.session)
        number, previous = (last[0]["_id"] + 1, last[0]["digest"]) if last else (1, "")
        ids = [row["_id"] for row in rows]
        hashes = [row_hash(row) for row in rows]
        sealed = digest(self._key, number, previous, hashes)
        sealing = {
            "_id": number,
            "previous": previous,
            "rows": ids,
            "hashes": hashes,
            "digest": sealed,
            "at": tx.now,
        }
        await tx.db.insert("seals", [sealing], session=tx.session)
        await tx.db.update(
            "audit",
            {"_id": {"$in": ids}},
            {"$set": {"block": number}},
            many=True,
            session=tx.session,
        )
        chain = f"{self.service}-audit"
        tx.emit(
            self._anchor.model_validate(
                {"chain": chain, "block": number, "rows": len(ids), "digest": sealed}
            ),
            "seals",
            Chain(id=chain, version=number),
        )
        return len(rows) == ROWS_PER_BLOCK


@dataclass(frozen=True, slots=True)
class Chain:
    """The chain of blocks as the aggregate of its anchors: its version is the last block's number."""

    id: str
    version: int


__all__ = [
    "ACTS",
    "INDEXES",
    "UNSEALED",
    "AuditSealer",
    "anchor_type",
    "canonical",
    "digest",
    "row_hash",
]
