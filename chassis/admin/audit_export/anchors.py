"""The anchors of blocks as a service's own archive has them. Not here: those of the topics (ops), which alone are witnesses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from chassis.jobs.audit_sealer import anchor_type
from chassis.persistence.mongo import Mongo

_PAGE_SIZE = 2_000


@dataclass(frozen=True, slots=True)
class Anchor:
    """What was told of a block when it was sealed."""

    digest: str
    rows: int


def parse_anchor(body: str | bytes) -> tuple[int, Anchor]:
    """The block's number and its anchor, from the body of an anchor event."""
    one: dict[str, Any] = json.loads(body)
    return one["block"], Anchor(one["digest"], one["rows"])


async def read_archived_anchors(
    db: Mongo, service: str, first: int, last: int
) -> AsyncIterator[dict[int, Anchor]]:
    """The anchors of these blocks, page by page, in order: less than a witness, who can alter a block can alter it."""
    after = 0
    where = {
        "key": f"{service}-audit",
        "type": anchor_type(service).type,
        "aggregate_version": {"$gte": first, "$lte": last},
    }
    while page := await db.find(
        "outbox",
        where | {"seq": {"$gt": after}},
        sort=[("seq", 1)],
        limit=_PAGE_SIZE,
        fields={"body": 1, "seq": 1},
    ):
        yield dict(parse_anchor(row["body"]) for row in page)
        after = page[-1]["seq"]


async def read_newest_anchor(db: Mongo, service: str) -> tuple[int, Anchor] | None:
    """The last block that was anchored, None before the first."""
    rows = await db.find(
        "outbox",
        {"key": f"{service}-audit", "type": anchor_type(service).type},
        sort=[("seq", -1)],
        limit=1,
        fields={"body": 1},
    )
    return parse_anchor(rows[0]["body"]) if rows else None
