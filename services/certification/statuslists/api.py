"""How status lists are read by the world."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Response

from services.certification.statuslists import usecases
from services.certification.transaction import Run
from services.certification.verifications.page import UNINDEXED_HEADERS

public = APIRouter(tags=["Daftar status"])


@public.get("/l/{list_id}", summary="Daftar status", response_class=Response)
async def show_list(list_id: str, run: Run) -> Response:
    """The signed list as it was published on the last tick: fetched whole, so that nobody learns which certificate is checked."""
    publication = await run(partial(usecases.published, list_id))
    return Response(
        publication.content,
        headers={**UNINDEXED_HEADERS, "cache-control": "public, max-age=60"},
        media_type="application/vc",
    )
