"""The anchors of sealed blocks in a service's own archive.

Not here: anchors read from the topics (ops); only those lie outside the database.
"""

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
    """What was published about a block when it was sealed."""

    digest: str
    rows: int


def parse_anchor(body: str | bytes) -> tuple[int, Anchor]:
    """Return the number of the block and its anchor, from the body of an anchor event."""
    event: dict[str, Any] = json.loads(body)
    return event["block"], Anchor(event["digest"], event["rows"])


async def read_archived_anchors(
    db: Mongo, service: str, first: int, last: int
) -> AsyncIterator[dict[int, Anchor]]:
    """Yield the archived anchors of these blocks, page by page, in order.

    They prove less than the anchors in the topic: anyone who can alter a block can alter them, too.
    """
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
    """Return the number of the last anchored block, and its anchor; None before the first."""
    rows = await db.find(
        "outbox",
        {"key": f"{service}-audit", "type": anchor_type(service).type},
        sort=[("seq", -1)],
        limit=1,
        fields={"body": 1},
    )
    return parse_anchor(rows[0]["body"]) if rows else None
