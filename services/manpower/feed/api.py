"""How the feed is asked for: read from a cursor, wait for more, or begin with a snapshot."""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from chassis.errors import Malformed
from chassis.http import dependencies
from services.manpower import texts
from services.manpower.agencies.rules import Moment
from services.manpower.consumers.usecases import with_access_check
from services.manpower.feed import rules, usecases
from services.manpower.feed.rules import MAX_WAIT_SECONDS, ChangeType, FeedItem, Subject
from services.manpower.feed.usecases import FeedPage
from services.manpower.transaction import Run

router = APIRouter(tags=["feed"])

_POLL_SECONDS = 0.5

HREFS = {
    Subject.CANDIDATE: "/v1/candidates/",
    Subject.APPLICATION: "/v1/job-applications/",
    Subject.PLACEMENT: "/v1/placements/",
}


class FromTimeOrCursor(Malformed):
    """A feed is read from a cursor or from a moment, not from both."""

    title = texts.FROM_TIME_OR_CURSOR
    field = "from_time"


class SubjectBody(BaseModel):
    """What it is about."""

    kind: Subject
    ref: str


class FeedItemBody(BaseModel):
    """A change, thin: the content is at `href` under the reader's rights of that moment. Without `href` the reader must delete what it has."""

    seq: int
    event_id: str
    type: ChangeType
    occurred_at: datetime
    subject: SubjectBody
    href: str | None
    version: int

    @classmethod
    def of(cls, item: FeedItem) -> FeedItemBody:
        """The body of an item."""
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
    """Items in order; `next_cursor` is where to go on, also when there are none."""

    items: list[FeedItemBody]
    next_cursor: str
    has_more: bool


class SnapshotItemBody(BaseModel):
    """Something that the reader may see now."""

    subject: SubjectBody
    href: str
    version: int


class SnapshotBody(BaseModel):
    """A page of the snapshot; the last one has no `next_cursor` and names the feed's cursor to go on from."""

    items: list[SnapshotItemBody]
    next_cursor: str | None
    feed_cursor: str | None


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
    """Changes behind a cursor (`after`) or since a moment, in order; with `wait` the answer comes when there is one, or when the time is over."""
    if after is not None and from_time is not None:
        raise FromTimeOrCursor
    key: bytes = request.app.state.cursor_key
    position = None if after is None else rules.verify_cursor(after, key)
    if from_time is not None:
        position = await run(with_access_check(partial(usecases.find_position, from_time)))
    reading = await run(with_access_check(partial(usecases.read_feed, position, limit)))
    deadline = asyncio.get_running_loop().time() + wait
    while not reading.items and await _wait_for_more(run, request, reading, deadline):
        reading = await run(with_access_check(partial(usecases.read_feed, reading.position, limit)))
    return FeedBody(
        items=[FeedItemBody.of(item) for item in reading.items],
        next_cursor=rules.sign_cursor(reading.position, key),
        has_more=reading.has_more,
    )


@router.get("/v1/snapshot")
async def read_snapshot(
    run: Run, request: Request, cursor: str | None = None, limit: dependencies.Limit = 50
) -> SnapshotBody:
    """Everything the reader may see now, thin; it ends with the cursor by which the feed goes on without a gap."""
    key: bytes = request.app.state.cursor_key
    place = None if cursor is None else rules.verify_snapshot_cursor(cursor, key)
    read = await run(with_access_check(partial(usecases.read_snapshot, place, limit)))
    return SnapshotBody(
        items=[
            SnapshotItemBody(
                subject=SubjectBody(kind=subject, ref=ref),
                href=HREFS[subject] + ref,
                version=version,
            )
            for subject, ref, version in read.rows
        ],
        next_cursor=None
        if read.next_cursor is None
        else rules.sign_snapshot_cursor(read.next_cursor, key),
        feed_cursor=rules.sign_cursor(read.position, key) if read.next_cursor is None else None,
    )


async def _wait_for_more(run: Run, request: Request, reading: FeedPage, deadline: float) -> bool:
    """Whether the log has grown before the deadline (loop time); False at once when the process is told to end."""
    loop = asyncio.get_running_loop()
    stopping: asyncio.Event = request.app.state.stopping
    while (left := deadline - loop.time()) > 0:
        try:
            async with asyncio.timeout(min(_POLL_SECONDS, left)):
                await stopping.wait()
        except TimeoutError:
            if await run(usecases.read_last_number) > reading.position:
                return True
        else:
            return False
    return False
