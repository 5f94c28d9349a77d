"""What is wrong with a service's audit: every block, every row, against the anchors that lie outside the database. Not here: where anchors are read, how it is shown."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.admin.audit_export.anchors import Anchor
from chassis.jobs.audit_sealer import UNSEALED, digest, row_hash
from chassis.persistence.mongo import Document, Mongo

LATE_SECONDS = 5
SEALED: Document = {"block": {"$ne": None}}
_BLOCKS_PER_PAGE, _ROWS_PER_PAGE = 20, 5_000  # read at a time


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that verification found wrong: which block, which row, and what."""

    block: int | None
    row: str
    what: str


async def verify(
    db: Mongo, key: bytes, anchors: Mapping[int, Anchor], now: datetime
) -> list[Finding]:
    """Check every block, every row in it and the anchors by block; name rows that were altered, removed, moved, added or cut off, and those unsealed for over 5 s."""
    found: list[Finding] = []
    before: Document | None = None
    listed = 0
    async for block in read_blocks(db):
        found += check_block(block, before or {"_id": 0, "digest": ""}, key)
        if (anchor := anchors.get(block["_id"])) and anchor.digest != block["digest"]:
            found.append(Finding(block["_id"], "", "block differs from its anchor"))
        rows = {row["_id"]: row for row in await db.find("audit", {"_id": {"$in": block["rows"]}})}
        listed += sum(row["block"] is not None for row in rows.values())
        found += [
            Finding(block["_id"], id_, "row removed") for id_ in block["rows"] if id_ not in rows
        ]
        found += check_rows(block, rows)
        before = block
    found += [
        report_missing_block(number, anchor)
        for number, anchor in sorted(anchors.items())
        if number > (before["_id"] if before else 0)
    ]
    if await db.count("audit", SEALED) > listed:
        found += [finding async for finding in _find_added_rows(db)]
    late = await db.find(
        "audit", UNSEALED | {"at": {"$lt": now - timedelta(seconds=LATE_SECONDS)}}, limit=100
    )
    return found + [Finding(None, row["_id"], "row not sealed") for row in late]


def check_block(block: Document, before: Document, key: bytes) -> Iterator[Finding]:
    """What is wrong with a block and its place behind the one before it."""
    number = block["_id"]
    if number != before["_id"] + 1:
        yield Finding(before["_id"] + 1, "", "block missing")
    if block["previous"] != before["digest"]:
        yield Finding(number, "", "block does not follow the one before")
    elif digest(key, number, block["previous"], block["hashes"]) != block["digest"]:
        yield Finding(number, "", "block altered: its digest does not fit")


def check_rows(block: Document, rows: Mapping[str, Document]) -> Iterator[Finding]:
    """What is wrong with these rows, by id, of a block."""
    number, ids = block["_id"], block["rows"]
    yield from (
        Finding(number, id_, "row moved to another block")
        for id_, row in rows.items()
        if row["block"] != number
    )
    yield from (
        Finding(number, id_, "row altered")
        for id_, was in zip(ids, block["hashes"], strict=False)
        if id_ in rows and row_hash(rows[id_]) != was
    )
    yield from (
        Finding(number, id_, "row stands at another place")
        for id_, right in zip(ids, sorted(ids), strict=True)
        if id_ != right
    )  # an `_id` is ordered by time


def report_missing_block(number: int, anchor: Anchor) -> Finding:
    """A block of which nothing is left but what was told of it."""
    return Finding(
        number, "", f"block cut off with its {anchor.rows} rows: only its anchor is left"
    )


async def read_blocks(
    db: Mongo, first: int = 1, last: int = sys.maxsize
) -> AsyncIterator[Document]:
    """The blocks from one number to another, in order."""
    after = first - 1
    while page := await db.find(
        "seals", {"_id": {"$gt": after, "$lte": last}}, sort=[("_id", 1)], limit=_BLOCKS_PER_PAGE
    ):
        for block in page:
            yield block
        after = page[-1]["_id"]


async def _find_added_rows(db: Mongo) -> AsyncIterator[Finding]:
    """Rows that name a block which knows nothing of them."""
    last = ""
    while page := await db.find(
        "audit",
        SEALED | {"_id": {"$gt": last}},
        sort=[("_id", 1)],
        limit=_ROWS_PER_PAGE,
        fields={"block": 1},
    ):
        known = {
            id_
            for block in await db.find(
                "seals", {"_id": {"$in": list({row["block"] for row in page})}}, fields={"rows": 1}
            )
            for id_ in block["rows"]
        }
        for row in page:
            if row["_id"] not in known:
                yield Finding(row["block"], row["_id"], "row added: no block knows it")
        last = page[-1]["_id"]
