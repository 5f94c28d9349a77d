"""Verification of an audit: every block and row, and the anchors outside the database.

Not here: how anchors are read (anchors, ops/audit), how findings are shown.
"""

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
_BLOCKS_PER_PAGE = 20
_ROWS_PER_PAGE = 5_000
_MAX_UNSEALED_FINDINGS = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault that a verification found: the block, the row, and what is wrong."""

    block: int | None
    row: str
    what: str


async def verify(
    db: Mongo, key: bytes, anchors: Mapping[int, Anchor], now: datetime
) -> list[Finding]:
    """Check every block, its rows and its anchor; return what is wrong.

    Findings name rows that were altered, removed, moved, added or cut off, and rows that have been
    unsealed for over 5 s.
    """
    findings: list[Finding] = []
    before: Document = {"_id": 0, "digest": ""}
    listed = 0
    async for block in read_blocks(db):
        number = block["_id"]
        findings += check_block(block, before, key)
        anchor = anchors.get(number)
        if anchor and anchor.digest != block["digest"]:
            findings.append(Finding(number, "", "block differs from its anchor"))
        documents = await db.find("audit", {"_id": {"$in": block["rows"]}})
        rows = {row["_id"]: row for row in documents}
        listed += sum(row["block"] is not None for row in documents)
        removed = [id_ for id_ in block["rows"] if id_ not in rows]
        findings += [Finding(number, id_, "row removed") for id_ in removed]
        findings += check_rows(block, rows)
        before = block
    for number, anchor in sorted(anchors.items()):
        if number > before["_id"]:
            findings.append(report_missing_block(number, anchor))
    if await db.count("audit", SEALED) > listed:
        findings += [finding async for finding in _find_added_rows(db)]
    is_late = {"at": {"$lt": now - timedelta(seconds=LATE_SECONDS)}}
    late_rows = await db.find("audit", UNSEALED | is_late, limit=_MAX_UNSEALED_FINDINGS)
    findings += [Finding(None, row["_id"], "row not sealed") for row in late_rows]
    return findings


def check_block(block: Document, before: Document, key: bytes) -> Iterator[Finding]:
    """Yield what is wrong with a block and its link to the block before it."""
    number = block["_id"]
    if number != before["_id"] + 1:
        yield Finding(before["_id"] + 1, "", "block missing")
    if block["previous"] != before["digest"]:
        yield Finding(number, "", "block does not follow the one before")
    elif digest(key, number, block["previous"], block["hashes"]) != block["digest"]:
        yield Finding(number, "", "block altered: its digest does not fit")


def check_rows(block: Document, rows: Mapping[str, Document]) -> Iterator[Finding]:
    """Yield what is wrong with these rows (by id) of a block."""
    number = block["_id"]
    ids = block["rows"]
    for id_, row in rows.items():
        if row["block"] != number:
            yield Finding(number, id_, "row moved to another block")
    for id_, sealed_hash in zip(ids, block["hashes"], strict=False):
        if id_ in rows and row_hash(rows[id_]) != sealed_hash:
            yield Finding(number, id_, "row altered")
    # An `_id` is ordered by time.
    for id_, expected in zip(ids, sorted(ids), strict=True):
        if id_ != expected:
            yield Finding(number, id_, "row is at another place")


def report_missing_block(number: int, anchor: Anchor) -> Finding:
    """Return the finding for a block that was removed and has left only its anchor."""
    return Finding(
        number, "", f"block cut off with its {anchor.rows} rows: only its anchor is left"
    )


async def read_blocks(
    db: Mongo, first: int = 1, last: int = sys.maxsize
) -> AsyncIterator[Document]:
    """Yield the blocks from number `first` to `last`, in order."""
    after = first - 1
    while page := await db.find(
        "seals", {"_id": {"$gt": after, "$lte": last}}, sort=[("_id", 1)], limit=_BLOCKS_PER_PAGE
    ):
        for block in page:
            yield block
        after = page[-1]["_id"]


async def _find_added_rows(db: Mongo) -> AsyncIterator[Finding]:
    """Yield the rows that name a block which does not list them."""
    last = ""
    while page := await db.find(
        "audit",
        SEALED | {"_id": {"$gt": last}},
        sort=[("_id", 1)],
        limit=_ROWS_PER_PAGE,
        fields={"block": 1},
    ):
        numbers = list({row["block"] for row in page})
        blocks = await db.find("seals", {"_id": {"$in": numbers}}, fields={"rows": 1})
        listed_ids = {id_ for block in blocks for id_ in block["rows"]}
        for row in page:
            if row["_id"] not in listed_ids:
                yield Finding(row["block"], row["_id"], "row added: no block knows it")
        last = page[-1]["_id"]
