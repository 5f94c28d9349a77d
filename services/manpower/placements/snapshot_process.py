"""The snapshot: all that a reader may see now, on request with content.

The names come from training between two transactions. Not here: which rows these are (feed), and
which columns a reader sees (visibility).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from chassis.caller import Caller
from chassis.http import dependencies
from services.manpower.agencies.usecases import with_access_check
from services.manpower.applications.api import ApplicationBody
from services.manpower.candidates.api import CandidateBody
from services.manpower.candidates.disclosure_process import fetch_names
from services.manpower.feed.api import HREFS, SubjectBody
from services.manpower.feed.usecases import SnapshotPage, read_snapshot
from services.manpower.placements import usecases
from services.manpower.placements.api import PlacementBody
from services.manpower.placements.usecases import SnapshotContent
from services.manpower.transaction import Run

router = APIRouter(tags=["feed"])

Content = CandidateBody | ApplicationBody | PlacementBody


class SnapshotItemBody(BaseModel):
    """A row that the reader may see now; with `content=true` also what `href` would show."""

    subject: SubjectBody
    href: str
    version: int
    content: Annotated[Content | None, Field(union_mode="left_to_right")] = None


class SnapshotBody(BaseModel):
    """A page of the snapshot; the last one names the feed cursor from which to continue."""

    items: list[SnapshotItemBody]
    next_cursor: str | None
    feed_cursor: str | None


@router.get("/v1/snapshot", response_model_exclude_unset=True)
async def show_snapshot(
    run: Run,
    caller: dependencies.CurrentCaller,
    request: Request,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
    content: Annotated[bool, Query(description="Sertakan isi")] = False,  # noqa: FBT002 - a query
) -> SnapshotBody:
    """Read all that the reader may see now.

    The last page has the cursor from which the feed continues without a gap.
    """
    if not content:
        page = await run(with_access_check(partial(read_snapshot, cursor, limit)))
        return _body(page, {})
    command = partial(usecases.read_snapshot_content, cursor, limit)
    found = await run(with_access_check(partial(command, {})))
    names = await fetch_names(found.candidates, request.app.state.training, caller)
    shown = await run(with_access_check(partial(command, names)))
    return _body(shown.page, _contents(shown, caller))


def _body(page: SnapshotPage, contents: Mapping[str, Content]) -> SnapshotBody:
    items: list[SnapshotItemBody] = []
    for row in page.rows:
        item = SnapshotItemBody(
            subject=SubjectBody(kind=row.subject, ref=row.ref),
            href=HREFS[row.subject] + row.ref,
            version=row.version,
        )
        if row.ref in contents:
            item.content = contents[row.ref]
        items.append(item)
    return SnapshotBody(items=items, next_cursor=page.next_cursor, feed_cursor=page.feed_cursor)


def _contents(shown: SnapshotContent, caller: Caller) -> dict[str, Content]:
    contents: dict[str, Content] = {
        view.candidate.id: CandidateBody.of(view) for view in shown.candidates
    }
    for view in shown.applications:
        contents[view.application.id] = ApplicationBody.of(view, caller)
    for view in shown.placements:
        contents[view.placement.id] = PlacementBody.of(view, caller)
    return contents
