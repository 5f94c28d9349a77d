"""What is wrong with a service's audit: every block, every row, against the anchors that lie outside the database. Not here: where anchors are read, how it is shown."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.audit import UNSEALED, digest, row_hash
from chassis.mongo import Document, Mongo

LATE_SECONDS = 5
_BLOCKS, _ROWS = 20, 5_000  # read at a time
SEALED: Document = {"block": {"$ne": None}}


@dataclass(frozen=True, slots=True)
class Anchor:
    """What the topic says of a block."""

    digest: str
    rows: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that verification found wrong: which block, which row, and what."""

    block: int | None
    row: str
    what: str


async def verify(db: Mongo, key: bytes, anchors: Mapping[int, Anchor], now: datetime) -> list[Finding]:
    """Check every block, every row in it and the anchors by block; name rows that were altered, removed, moved, added or cut off, and those unsealed for over 5 s."""
    found: list[Finding] = []
    previous, expected, listed = "", 1, 0
    async for block in blocks(db):
        number = block["_id"]
        if number != expected:
            found.append(Finding(expected, "", "block missing"))
        if block["previous"] != previous:
            found.append(Finding(number, "", "block does not follow the one before"))
        elif digest(key, number, previous, block["hashes"]) != block["digest"]:
            found.append(Finding(number, "", "block altered: its digest does not fit"))
        if number in anchors and anchors[number].digest != block["digest"]:
            found.append(Finding(number, "", "block differs from its anchor"))
        rows = {row["_id"]: row for row in await db.find("audit", {"_id": {"$in": block["rows"]}})}
        listed += sum(row["block"] is not None for row in rows.values())
        found += _rows(number, block, rows)
        previous, expected = block["digest"], number + 1
    found += [Finding(number, "", f"block cut off with its {anchor.rows} rows: only its anchor is left") for number, anchor in sorted(anchors.items()) if number >= expected]
    if await db.count("audit", SEALED) > listed:
        found += [finding async for finding in _added(db)]
    late = await db.find("audit", UNSEALED | {"at": {"$lt": now - timedelta(seconds=LATE_SECONDS)}}, limit=100)
    return found + [Finding(None, row["_id"], "row not sealed") for row in late]


def _rows(number: int, block: Document, rows: Mapping[str, Document]) -> list[Finding]:
    ids: list[str] = block["rows"]
    gone = [Finding(number, id_, "row removed") for id_ in ids if id_ not in rows]
    moved = [Finding(number, id_, "row moved to another block") for id_, row in rows.items() if row["block"] != number]
    altered = [Finding(number, id_, "row altered") for id_, was in zip(ids, block["hashes"], strict=False) if id_ in rows and row_hash(rows[id_]) != was]
    displaced = [Finding(number, id_, "row stands at another place") for id_, right in zip(ids, sorted(ids), strict=True) if id_ != right]  # an `_id` is ordered by time
    return gone + moved + altered + displaced


async def blocks(db: Mongo) -> AsyncIterator[Document]:
    """Every block, in order."""
    last = 0
    while page := await db.find("seals", {"_id": {"$gt": last}}, sort=[("_id", 1)], limit=_BLOCKS):
        for block in page:
            yield block
        last = page[-1]["_id"]


async def _added(db: Mongo) -> AsyncIterator[Finding]:
    """Rows that name a block which knows nothing of them."""
    last = ""
    while page := await db.find("audit", SEALED | {"_id": {"$gt": last}}, sort=[("_id", 1)], limit=_ROWS, fields={"block": 1}):
        known = {id_ for block in await db.find("seals", {"_id": {"$in": list({row["block"] for row in page})}}, fields={"rows": 1}) for id_ in block["rows"]}
        for row in page:
            if row["_id"] not in known:
                yield Finding(row["block"], row["_id"], "row added: no block knows it")
        last = page[-1]["_id"]
