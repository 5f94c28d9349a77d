"""The public route of status lists."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Response

from services.certification.credentials.public_headers import UNINDEXED_HEADERS
from services.certification.statuslists import usecases
from services.certification.transaction import Run

public = APIRouter(tags=["Daftar status"])


@public.get("/l/{list_id}", summary="Daftar status", response_class=Response)
async def show_list(list_id: str, run: Run) -> Response:
    """Return the signed list as published on the last tick.

    Verifiers fetch the whole list, so that nobody learns which certificate is checked.
    """
    publication = await run(partial(usecases.view_publication, list_id))
    return Response(
        publication.content,
        headers={**UNINDEXED_HEADERS, "cache-control": "public, max-age=60"},
        media_type="application/vc",
    )
