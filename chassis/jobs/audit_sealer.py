"""The audit sealer: seals audit rows in a chain of blocks.

The transaction of a change inserts the audit row without a block. Later one leased sealer puts rows
into blocks {_id: number, previous, rows, hashes, digest, at}. The digest is an HMAC over the number
of the block, the previous digest and the hashes of the rows; its key is not in MongoDB. The digest
is published as an anchor on the topic of the service.

Not here: what is audited (the unit of work writes one row per change), verification
(admin.audit_export).
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
# Rows of a caller's own request. Rows that consumed events have caused name a causation id.
ACTS: Document = {"causation_id": ""}
# An `_id` is ordered by time: ("actor", "_id") gives the rows of an actor in that order. The search
# of an auditor with some facilities needs the facility before it.
INDEXES = (
    Index("block", "at", where=UNSEALED),
    Index("subject", "at"),
    Index("actor", "_id", where=ACTS),
    Index("facility", "_id"),
    Index("facility", "actor", "_id", where=ACTS),
    Index("person", where={"person": {"$exists": True}}),
    Index("refs", where={"refs": {"$exists": True}}),
)

Tx = TypeVar("Tx", bound=Transaction)


def anchor_type(service: str) -> type[Event]:
    """Return the class of a service's anchor event, `<service>.audit-sealed.v1`."""

    class AuditSealed(Event, type=f"{service}.audit-sealed.v1", key="chain"):
        """A block of audit rows was sealed; its digest is kept here, outside the database."""

        chain: str
        block: int
        rows: int
        digest: str

    return AuditSealed


def canonical(row: Document) -> str:
    """Return the form of a row that is hashed: JSON with sorted names, without its block."""
    plain = {name: value for name, value in row.items() if name != "block"}
    return json.dumps(
        plain, default=_text, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def row_hash(row: Document) -> str:
    """Return the SHA-256 of a row's canonical form."""
    return hashlib.sha256(canonical(row).encode()).hexdigest()


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    return str(value)


def digest(key: bytes, number: int, previous: str, hashes: Sequence[str]) -> str:
    """Return the digest of a block."""
    lines = "\n".join([str(number), previous, *hashes])
    return hmac.new(key, lines.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Chain:
    """The aggregate that publishes the anchors of a chain; its version is the block's number."""

    id: str
    version: int


class AuditSealer:
    """The leased job that seals waiting rows."""

    def __init__(self, service: str, key: bytes) -> None:
        self.service = service
        self._key = key
        self._anchor = anchor_type(service)

    async def __call__(self, run: Runner[Any]) -> bool:
        """Seal one block; return whether more rows may wait."""
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
        oldest_seconds = (tx.now - rows[0]["at"]).total_seconds()
        telemetry.AUDIT_UNSEALED_AGE.set(max(0.0, oldest_seconds))
        rows.sort(key=lambda row: row["_id"])
        number, previous = await self._next_block(tx)
        ids = [row["_id"] for row in rows]
        hashes = [row_hash(row) for row in rows]
        block = {
            "_id": number,
            "previous": previous,
            "rows": ids,
            "hashes": hashes,
            "digest": digest(self._key, number, previous, hashes),
            "at": tx.now,
        }
        await tx.db.insert("seals", [block], session=tx.session)
        update = {"$set": {"block": number}}
        await tx.db.update("audit", {"_id": {"$in": ids}}, update, many=True, session=tx.session)
        self._publish_anchor(tx, block)
        return len(rows) == ROWS_PER_BLOCK

    async def _next_block(self, tx: Transaction) -> tuple[int, str]:
        """Return the number of the next block and the digest of the block before it."""
        seals = await tx.db.find("seals", {}, sort=[("_id", -1)], limit=1, session=tx.session)
        if not seals:
            return 1, ""
        return seals[0]["_id"] + 1, seals[0]["digest"]

    def _publish_anchor(self, tx: Transaction, block: Document) -> None:
        chain = Chain(id=f"{self.service}-audit", version=block["_id"])
        facts = {"chain": chain.id, "block": block["_id"], "digest": block["digest"]}
        anchor = self._anchor.model_validate(facts | {"rows": len(block["rows"])})
        tx.emit(anchor, "seals", chain)
