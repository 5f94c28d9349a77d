"""Routes of the feed: read from a cursor, wait for more.

Not here: who may read which entry (visibility), the snapshot (placements).
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from chassis.http import dependencies
from chassis.moments import Moment
from services.manpower.agencies.usecases import with_access_check
from services.manpower.feed import usecases
from services.manpower.feed.rules import MAX_WAIT_SECONDS, ChangeType, FeedItem
from services.manpower.transaction import Run
from services.manpower.visibility.rules import Subject

router = APIRouter(tags=["feed"])

_POLL_SECONDS = 0.5

HREFS = {
    Subject.CANDIDATE: "/v1/candidates/",
    Subject.APPLICATION: "/v1/job-applications/",
    Subject.PLACEMENT: "/v1/placements/",
}


class SubjectBody(BaseModel):
    """The row that changed."""

    kind: Subject
    ref: str


class FeedItemBody(BaseModel):
    """A change without its content, which the reader gets from `href` by its current rights.

    Without `href` the reader must delete its copy.
    """

    seq: int
    event_id: str
    type: ChangeType
    occurred_at: datetime
    subject: SubjectBody
    href: str | None
    version: int

    @classmethod
    def of(cls, item: FeedItem) -> FeedItemBody:
        """Return the body of an item."""
        entry = item.entry
        return cls(
            seq=entry.seq,
            event_id=entry.id,
            type=item.type,
            occurred_at=entry.occurred_at,
            subject=SubjectBody(kind=entry.subject, ref=entry.subject_ref),
            href=HREFS[entry.subject] + entry.subject_ref if item.visible else None,
            version=entry.subject_version,
        )


class FeedBody(BaseModel):
    """Items in order; `next_cursor` says where to continue, also when there are no items."""

    items: list[FeedItemBody]
    next_cursor: str
    has_more: bool


@router.get("/v1/feed")
async def read_feed(
    run: Run,
    request: Request,
    after: str | None = None,
    from_time: Moment | None = None,
    limit: dependencies.Limit = 50,
    wait: Annotated[
        int, Query(ge=0, le=MAX_WAIT_SECONDS, description="Detik menunggu bila belum ada yang baru")
    ] = 0,
) -> FeedBody:
    """Read the changes after a cursor (`after`) or since a moment, in order.

    With `wait`, a read without items waits for the first one, at most `wait` seconds.
    """
    page = await run(with_access_check(partial(usecases.read_feed, after, from_time, limit)))
    deadline = asyncio.get_running_loop().time() + wait
    while not page.items and await _wait_for_more(run, request, page.position, deadline):
        command = partial(usecases.continue_feed, page.position, limit)
        page = await run(with_access_check(command))
    return FeedBody(
        items=[FeedItemBody.of(item) for item in page.items],
        next_cursor=page.next_cursor,
        has_more=page.has_more,
    )


async def _wait_for_more(run: Run, request: Request, position: int, deadline: float) -> bool:
    """Return whether the log grew beyond the position before the deadline (loop time).

    False at once when the process is stopping.
    """
    loop = asyncio.get_running_loop()
    stopping: asyncio.Event = request.app.state.stopping
    while (seconds_left := deadline - loop.time()) > 0:
        try:
            async with asyncio.timeout(min(_POLL_SECONDS, seconds_left)):
                await stopping.wait()
        except TimeoutError:
            if await run(usecases.read_last_number) > position:
                return True
        else:
            return False
    return False
